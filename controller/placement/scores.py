"""How good a candidate is. Lower is better; ties are broken to the last bit so that two runs decide alike."""

from collections.abc import Callable

from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot

Score = tuple[int, int, str, str, int]
Scorer = Callable[[Snapshot, Demand, Node, Gpu, Partition], Score]


def best_fit(snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> Score:
    """Least memory left over, then the fullest GPU (whole GPUs stay whole), then names."""
    left_over = partition.bytes - demand.requirement.bytes
    free = sum(1 for other in gpu.partitions if snapshot.holder(node, other) is None)
    return left_over, free, node.name, gpu.bdf, partition.id.index
