"""What a GPU becomes in a mode, and what a whole node can become, for planning.

The memory mode is the node's: all its GPUs change it together, or none does. Under one memory mode each GPU has its own
compute mode.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product as combinations
from math import prod

from controller.gpu.mode import ComputeMode, MemoryMode, Mode
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


@dataclass(frozen=True, slots=True)
class MemoryChoice:
    """A memory mode that every GPU of a node has, and the compute modes each GPU, by address, can be in under it."""

    memory: MemoryMode
    compute: Mapping[str, tuple[ComputeMode, ...]]

    @property
    def layouts(self) -> int:
        """How many layouts it makes."""
        return prod(len(modes) for modes in self.compute.values())


def choices(allowed: Mapping[str, tuple[Mode, ...]]) -> tuple[MemoryChoice, ...]:
    """What a node whose GPUs have these modes, by address, can choose: none without GPUs, or without a shared one.

    ``allowed`` is what the hardware told, or a product's table when planning without hardware.
    """
    found = []
    for memory in MemoryMode:
        compute = {
            bdf: tuple(mode.compute for mode in modes if mode.memory is memory) for bdf, modes in allowed.items()
        }
        if compute and all(compute.values()):
            found.append(MemoryChoice(memory, compute))
    return tuple(found)


def layouts(allowed: Mapping[str, tuple[Mode, ...]]) -> Iterator[dict[str, Mode]]:
    """Every layout of such a node, each once: the mode of each GPU by address, one memory mode throughout.

    Eight GPUs with four compute modes make 65536 under one memory mode: take from it what is needed.
    """
    for choice in choices(allowed):
        for computes in combinations(*choice.compute.values()):
            yield {bdf: Mode(compute, choice.memory) for bdf, compute in zip(choice.compute, computes, strict=True)}


def is_layout(allowed: Mapping[str, tuple[Mode, ...]], modes: Mapping[str, Mode]) -> bool:
    """Whether such a node can be in these modes: one for each of its GPUs, all with the same memory mode."""
    return (
        modes.keys() == allowed.keys()
        and len({mode.memory for mode in modes.values()}) == 1
        and all(mode in allowed[bdf] for bdf, mode in modes.items())
    )
