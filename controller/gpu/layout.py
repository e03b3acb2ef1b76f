"""What a GPU becomes in a mode: the list of its slices, for planning."""

from dataclasses import dataclass

from controller.gpu.mode import Mode
from controller.gpu.product import Product


@dataclass(frozen=True, slots=True)
class Slice:
    """One partition as planned: its index from 0, its memory in bytes, its compute units."""

    index: int
    bytes: int
    compute_units: int


def slices(product: Product, mode: Mode) -> tuple[Slice, ...]:
    """The partitions ``product`` has in ``mode``, by index. Raises ModeError when the product has not got it."""
    size = product.partition_bytes(mode)
    units = product.partition_compute_units(mode)
    return tuple(Slice(index, size, units) for index in range(product.partition_count(mode.compute)))
