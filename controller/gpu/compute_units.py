"""Compute units as memory: a partition's share of both is the same, so asking for enough memory brings enough units."""

from collections.abc import Iterable, Iterator
from typing import Final

from controller.gpu.mode import ModeError
from controller.gpu.product import Product

_MIB: Final = 1 << 20
#: A card's last partition differs from the table by 16 MiB at most; the next size of partition by gigabytes.
_SLACK: Final = 32 * _MIB


def memory_with(products: Iterable[Product], units: int) -> int | None:
    """Bytes that a partition must have so that it has `units` compute units, whichever of the `products` it is of.

    Just above the largest partition with too few, 0 where all have enough; None where no larger one has enough. Modes
    whose memory or units no table has are left out.
    """
    shares = [share for product in products for share in _shares(product)]
    too_small = max((size for size, count in shares if count < units), default=0)
    least = too_small + _SLACK if too_small else 0
    return least if any(size >= least and count >= units for size, count in shares) else None


def next_units(products: Iterable[Product], units: int) -> int | None:
    """Compute units of the smallest kind of partition that has more than `units`; None where none has."""
    larger = (count for product in products for _, count in _shares(product) if count > units)
    return min(larger, default=None)


def _shares(product: Product) -> Iterator[tuple[int, int]]:
    """Memory and compute units of a partition in each mode."""
    for mode in product.allowed:
        try:
            yield product.partition_bytes(mode), product.partition_compute_units(mode)
        except ModeError:
            continue
