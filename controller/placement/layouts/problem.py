"""What a joint choice of modes is asked: nodes with the modes their GPUs may take, and the claims that wait."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.gpu.mode import MemoryMode, Mode
from controller.placement.demand import Resources


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode of one GPU, and what it offers there: `free` partitions of `size` bytes each."""

    mode: Mode
    size: int
    free: int


@dataclass(frozen=True, slots=True)
class LayoutGpu:
    """A GPU of a node: what it offers as it is, and the modes it may be put into; none for a GPU that somebody holds.

    `others` do not repeat the mode of `now`.
    """

    bdf: str
    now: Choice
    others: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class LayoutNode:
    """A node: its GPUs, and the CPU, memory and pods that are left there.

    `reloads`: nobody holds any of its GPUs, so that the memory mode, which is the node's, may change. `alike`: all its
    GPUs have to be in one mode. `rests`: it was changed lately, or may not be changed now: it stays as it is.
    """

    name: str
    gpus: tuple[LayoutGpu, ...]
    left: Resources
    reloads: bool = False
    alike: bool = False
    rests: bool = False


@dataclass(frozen=True, slots=True)
class LayoutClaim:
    """A claim that waits: `count` partitions of one node, of one mode and size, with at least `size` bytes each.

    `modes` empty: any; `nodes` None: any; `most`: it takes no larger partition, 0: any. Of the `resources` there must
    be enough left on the node.
    """

    key: str
    size: int
    count: int = 1
    modes: frozenset[Mode] = frozenset()
    priority: int = 0
    resources: Resources = field(default_factory=lambda: Resources(pods=1))
    nodes: frozenset[str] | None = None
    most: int = 0

    @property
    def bytes(self) -> int:
        """GPU memory asked for, in all partitions together."""
        return self.size * self.count


@dataclass(frozen=True, slots=True)
class Batch:
    """Nodes and pending claims, decided together."""

    nodes: tuple[LayoutNode, ...]
    claims: tuple[LayoutClaim, ...]


Modes = tuple[int, ...]
"""The state of a node: for each of its GPUs 0 for what it has now, else 1 + the place among `others`."""


def chosen(gpu: LayoutGpu, index: int) -> Choice:
    """The choice of a GPU that a node's state names."""
    return gpu.others[index - 1] if index else gpu.now


def under(node: LayoutNode) -> Iterator[tuple[tuple[int, ...], ...]]:
    """For each memory mode the node can have, the present one first: the choices of every GPU under it."""
    present = node.gpus[0].now.mode.memory
    yield tuple(
        (0, *(number for number, other in enumerate(gpu.others, 1) if other.mode.memory == present))
        for gpu in node.gpus
    )
    if node.reloads:
        for memory in MemoryMode:
            if memory != present:
                found = tuple(
                    tuple(number for number, other in enumerate(gpu.others, 1) if other.mode.memory == memory)
                    for gpu in node.gpus
                )
                if all(found):
                    yield found
