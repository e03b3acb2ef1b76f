"""The outcome of placing one demand: a place, or the reasons against each candidate. Values, not exceptions."""

from dataclasses import dataclass

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.placement.snapshot import Gpu, Node, Partition


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why some candidates were refused: how many partitions, with one example in words.

    `missing`: how much the example lacks, where that says which of several is told: the one that lacks least.
    """

    reason: str
    count: int
    example: str
    missing: int = 0

    def plus(self, other: "Refusal") -> "Refusal":
        """Both as one row; of examples that lack as much the first."""
        told = other if other.missing < self.missing else self
        return Refusal(self.reason, self.count + other.count, told.example, told.missing)


@dataclass(frozen=True, slots=True)
class PlacedDevice:
    """One partition that a claim gets, with its GPU."""

    gpu: Gpu
    partition: Partition


@dataclass(frozen=True, slots=True)
class Placed:
    """The partitions of one node that a claim gets, all of one mode and product; most claims get one.

    `gpu`, `partition` and `mode` are the first one's.
    """

    node: Node
    devices: tuple[PlacedDevice, ...]

    @classmethod
    def on(cls, node: Node, gpu: Gpu, *partitions: Partition) -> "Placed":
        """One or several partitions of one GPU."""
        return cls(node, tuple(PlacedDevice(gpu, partition) for partition in partitions))

    @property
    def gpu(self) -> Gpu:
        """The first partition's GPU."""
        return self.devices[0].gpu

    @property
    def partition(self) -> Partition:
        """The first partition."""
        return self.devices[0].partition

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All partitions, in their order."""
        return tuple(device.partition for device in self.devices)

    @property
    def ids(self) -> tuple[PartitionId, ...]:
        """The partitions' numbers, in their order."""
        return tuple(device.partition.id for device in self.devices)

    @property
    def mode(self) -> Mode:
        """The mode of the partitions' GPUs when the decision was made."""
        return self.gpu.mode


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No place: the leading CamelCase reason, a sentence for the user, and the counts behind it."""

    reason: str
    message: str
    refusals: tuple[Refusal, ...] = ()


Decision = Placed | Unplaced
