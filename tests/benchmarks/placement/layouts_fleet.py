"""A fleet whose claims come and go: who holds what, and the modes, which change on idle GPUs only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from controller.gpu.mode import MemoryMode, Mode
from controller.gpu.product import PRODUCTS, Product
from controller.placement.layouts.problem import LayoutClaim

GPUS = 8
Taken = tuple[tuple[int, int], ...]
"""Partitions on the GPUs of one node: which GPU, and how many."""


@dataclass(slots=True)
class Host:
    """A node of eight GPUs of one product; `free` counts the free partitions of each GPU."""

    name: str
    product: Product
    modes: list[Mode]
    free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = [self.count(mode) for mode in self.modes]

    def count(self, mode: Mode) -> int:
        """Partitions of a GPU in a mode."""
        return self.product.partition_count(mode.compute)

    def idle(self, gpu: int) -> bool:
        """Whether nobody holds a partition of the GPU."""
        return self.free[gpu] == self.count(self.modes[gpu])

    @property
    def memory(self) -> MemoryMode:
        """The memory mode of all its GPUs."""
        return self.modes[0].memory

    def room(self, claim: LayoutClaim) -> Iterator[tuple[Mode, Taken]]:
        """For each mode some of its GPUs are in: partitions for the claim, of GPUs as full as possible."""
        for mode in dict.fromkeys(self.modes):
            if self.product.partition_bytes(mode) < claim.size:
                continue
            there = [gpu for gpu in range(len(self.modes)) if self.modes[gpu] == mode and self.free[gpu]]
            taken = _taken(sorted(there, key=lambda gpu: (self.free[gpu], gpu)), self.free, claim.count)
            if taken:
                yield mode, taken

    def changes(self, claim: LayoutClaim) -> Iterator[tuple[Mode, dict[int, Mode]]]:
        """Modes that would make room for the claim, with what changes: idle GPUs, or all of an idle node."""
        idle = [gpu for gpu in range(len(self.modes)) if self.idle(gpu)]
        for mode in self.product.allowed:
            if self.product.partition_bytes(mode) < claim.size:
                continue
            needed = -(-claim.count // self.count(mode))
            if mode.memory == self.memory:
                others = [gpu for gpu in idle if self.modes[gpu] != mode]
                if len(others) >= needed:
                    yield mode, dict.fromkeys(others[:needed], mode)
            elif len(idle) == len(self.modes) and needed <= len(idle):
                yield mode, dict.fromkeys(idle, mode)

    def change(self, modes: dict[int, Mode]) -> None:
        """Put idle GPUs into other modes. Raises ValueError for one that somebody holds, or for two memory modes."""
        for gpu, mode in modes.items():
            if not self.idle(gpu):
                raise ValueError(f"GPU {gpu} of {self.name} is held and cannot go to {mode}")
            self.modes[gpu], self.free[gpu] = mode, self.count(mode)
        if len({mode.memory for mode in self.modes}) > 1:
            raise ValueError(f"{self.name} is left with two memory modes: {sorted(map(str, self.modes))}")


def _taken(gpus: Sequence[int], free: Sequence[int], count: int) -> Taken:
    """So many partitions of these GPUs, the first ones first; () when they have not so many."""
    found = []
    for gpu in gpus:
        many = min(free[gpu], count)
        found.append((gpu, many))
        count -= many
        if not count:
            return tuple(found)
    return ()


class Fleet:
    """Hosts, and who holds what."""

    def __init__(self, products: Sequence[str], mode: Mode) -> None:
        self.hosts = [
            Host(f"node-{number:02}", PRODUCTS[name], [_nearest(PRODUCTS[name], mode)] * GPUS)
            for number, name in enumerate(products)
        ]
        self.capacity = sum(GPUS * host.product.partition_bytes(host.product.allowed[0]) for host in self.hosts)
        self.allocated = 0
        self._held: dict[str, tuple[Host, Taken, int]] = {}

    def seat(self, claim: LayoutClaim, host: Host, taken: Taken) -> None:
        """Give a claim partitions. Raises ValueError for more than are free."""
        for gpu, many in taken:
            if host.free[gpu] < many:
                raise ValueError(
                    f"{claim.key} takes {many} partitions of GPU {gpu} of {host.name}: {host.free[gpu]} free"
                )
            host.free[gpu] -= many
        self._held[claim.key] = host, taken, claim.bytes
        self.allocated += claim.bytes

    def leave(self, key: str) -> None:
        """A claim is gone."""
        host, taken, size = self._held.pop(key)
        for gpu, many in taken:
            host.free[gpu] += many
        self.allocated -= size


def _nearest(product: Product, mode: Mode) -> Mode:
    """The mode, or what the product has that is nearest: undivided."""
    return mode if mode in product.allowed else product.allowed[0]
