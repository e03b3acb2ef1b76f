"""Writes to GPUNode.spec: partitions in quarantine, and places kept for successors."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from api.object import dump
from api.v1beta1 import GPUNode, GPUPartitionClaim
from api.v1beta1.gpu_node import PartitionHealth, Quarantine
from api.v1beta1.repartition_plan import Reservation
from controller.reconcilers.unhealthy.verdict import devices_of
from controller.runtime.client.client import Client
from controller.runtime.client.errors import NotFound
from controller.state.kinds import GPU_NODES

#: As many entries as the API takes.
MOST_ENTRIES = 128


class NodeWriter:
    """Every write names the version that the decision saw, for lists are replaced whole. Raises Conflict."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def quarantine(self, node: GPUNode, entries: Sequence[Quarantine]) -> None:
        """Add entries to the node's quarantine."""
        await self._write(node, "quarantine", [*node.spec.quarantine, *entries])

    async def keep(self, node: GPUNode, reservations: Sequence[Reservation]) -> None:
        """Write the places that are kept on the node."""
        await self._write(node, "reservations", reservations)

    async def _write(self, node: GPUNode, field: str, entries: Sequence[Any]) -> None:
        patch = {
            "metadata": {"uid": node.metadata.uid, "resourceVersion": node.metadata.resource_version},
            "spec": {field: [dump(entry) for entry in entries]},
        }
        try:
            await self._client.merge_patch(GPU_NODES, node.metadata.name, patch)
        except NotFound:
            return  # with the node all that was to be said of it is gone


def new_entries(node: GPUNode, claims: Iterable[GPUPartitionClaim], now: datetime) -> list[Quarantine]:
    """An entry for each broken partition of these claims that has none, as far as there is room."""
    known = {(entry.bdf, entry.partition) for entry in node.spec.quarantine}
    held = {(device.bdf, device.partition) for claim in claims for device in devices_of(claim)}
    fresh = [
        Quarantine(bdf=gpu.bdf, partition=partition.id, reason=gpu.problem or "reported as unhealthy", since=now)
        for gpu in node.status.gpus
        for partition in gpu.partitions
        if partition.health is PartitionHealth.UNHEALTHY and (gpu.bdf, partition.id) in held - known
    ]
    return fresh[: MOST_ENTRIES - len(node.spec.quarantine)]
