"""How good a candidate is. Lower is better; ties are broken to the last bit so that two runs decide alike."""

from collections.abc import Callable

from controller.placement.demand import Demand
from controller.placement.filters import kept_for
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot

Score = tuple[int, int, int, str, str, int]
Scorer = Callable[[Snapshot, Demand, Node, Gpu, Partition], Score]


def best_fit(snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> Score:
    """The place kept for it, then least memory left over, then the fullest GPU (whole GPUs stay whole), then names."""
    elsewhere = 0 if kept_for(partition, demand) else 1
    left_over = partition.bytes - demand.requirement.bytes
    return elsewhere, left_over, snapshot.free(node, gpu), node.name, gpu.bdf, partition.id.index
