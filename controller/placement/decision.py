"""The outcome of placing one demand: a place, or the reasons against each candidate. Values, not exceptions."""

from dataclasses import dataclass

from controller.gpu.mode import Mode
from controller.placement.snapshot import Gpu, Node, Partition

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why some candidates were refused: how many partitions, with one example in words."""

    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The partition that a claim gets."""

    node: Node
    gpu: Gpu
    partition: Partition

    @property
    def mode(self) -> Mode:
        """The mode of the partition's GPU when the decision was made."""
        return self.gpu.mode


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No place: the leading CamelCase reason, a sentence for the user, and the counts behind it."""

    reason: str
    message: str
    refusals: tuple[Refusal, ...] = ()


Decision = Placed | Unplaced


def gib(size: int) -> str:
    """A size in GiB with one decimal, as explanations print it."""
    return f"{size / GIB:.1f} GiB"
