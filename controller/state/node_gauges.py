"""Managed nodes as rows of gauges: whether their agents live, and what these report as broken. Kept up node by node."""

from api.v1beta1 import GPUNode
from api.v1beta1.gpu_node import PartitionHealth
from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest
from controller.state.heartbeats import Heartbeats
from controller.state.table import Table
from controller.telemetry.families import Labels


class NodeGauges:
    """Follows the inventories. `take` goes behind the table that it reads."""

    def __init__(self, gpu_nodes: Table[Manifest, GPUNode], heartbeats: Heartbeats) -> None:
        self._gpu_nodes = gpu_nodes
        self._heartbeats = heartbeats
        self._broken: dict[str, int] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Look at the node as it is now."""
        found = self._gpu_nodes.get(event.key)
        if found is None or not found.spec.managed:
            self._broken.pop(event.key, None)
        else:
            self._broken[event.key] = _broken(found)

    def unhealthy(self) -> list[tuple[Labels, float]]:
        """By node, the partitions that its agent reports as unhealthy or missing, or in no mode; 0 included."""
        return [((node,), float(count)) for node, count in sorted(self._broken.items())]

    def agents(self) -> list[tuple[Labels, float]]:
        """By node, 1 where its agent was seen to renew its Lease lately, else 0; none while it is too early to tell."""
        beats = self._heartbeats
        found = ((node, beats.fresh(node)) for node in sorted(self._broken))
        return [((node,), float(fresh)) for node, fresh in found if fresh or not beats.unsettled([node])]


def _broken(node: GPUNode) -> int:
    gpus = node.status.gpus
    unhealthy = sum(
        gpu.mode is None or one.health is PartitionHealth.UNHEALTHY for gpu in gpus for one in gpu.partitions
    )
    return unhealthy + sum(gpu.missing_partitions for gpu in gpus) + len(node.status.missing_gpus)
