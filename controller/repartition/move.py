"""One step of a drain: a pod, and a partition that is kept for its successor."""

from dataclasses import dataclass

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode
from controller.repartition.victims import Victim


@dataclass(frozen=True, slots=True)
class Move:
    """A victim, and the partition to reserve for its successor before the eviction; of several it has a move each."""

    victim: Victim
    node: str
    partition: PartitionId
    mode: Mode
    bytes: int
