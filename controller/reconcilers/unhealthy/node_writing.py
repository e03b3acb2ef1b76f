"""Writes to GPUNode.spec: partitions in quarantine, and places kept for successors."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from api.object import dump
from api.v1beta1 import GPUNode, GPUPartitionClaim
from api.v1beta1.gpu_node import GPU, PartitionHealth
from api.v1beta1.quarantine import Quarantine
from api.v1beta1.repartition_plan import Reservation
from controller.reconcilers.unhealthy.verdict import devices_of
from controller.runtime.client.client import Client
from controller.runtime.client.errors import NotFound
from controller.state.kinds import GPU_NODES
from controller.translate.node import out_of_use

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


def new_entries(
    node: GPUNode, claims: Iterable[GPUPartitionClaim], now: datetime, *, trusted: bool = True
) -> list[Quarantine]:
    """An entry for each broken partition of these claims, and for all of a GPU whose memory lost data.

    Memory errors are the whole GPU's, whoever holds it, and the count of them is lost when the driver is reloaded.
    `trusted`: whether what the node says of itself is new and true. What is out of use already gets no entry, and
    there may be no room for all.
    """
    held = {(device.bdf, device.partition) for claim in claims for device in devices_of(claim)}
    fresh = [
        Quarantine(
            bdf=gpu.bdf,
            partition=partition.id,
            mode=gpu.mode,
            reason=gpu.problem or "reported as unhealthy",
            since=now,
        )
        for gpu in node.status.gpus
        if gpu.mode is not None
        for partition in gpu.partitions
        if partition.health is PartitionHealth.UNHEALTHY
        and partition.id not in out_of_use(node, gpu)
        and ((trusted and _lost_data(gpu)) or (gpu.bdf, partition.id) in held)
    ]
    return fresh[: MOST_ENTRIES - len(node.spec.quarantine)]


def _lost_data(gpu: GPU) -> bool:
    """Whether the GPU's memory had errors that nothing could correct."""
    return gpu.ecc is not None and gpu.ecc.uncorrectable > 0
