"""The condition Healthy of claims, and the Events beside it."""

from datetime import datetime

from api.condition import find_condition, set_condition
from api.object import dump
from api.v1beta1 import GPUPartitionClaim
from controller.reconcilers.gpu_partition_claim.events import Note, tell
from controller.reconcilers.unhealthy.verdict import CONDITION, Verdict
from controller.runtime.client.client import Client
from controller.runtime.client.errors import NotFound
from controller.runtime.event_recorder import EventKind, EventRecorder
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_PARTITION_CLAIMS

_MESSAGE_LIMIT = 1024


class Telling:
    """Writes what changed of a claim's health, and tells its pod."""

    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    async def tell(self, claim: GPUPartitionClaim, verdict: Verdict, note: str, now: datetime) -> bool:
        """Bring the condition up to date; whether it had to be written. Raises Conflict when the claim has moved on."""
        message = f"{verdict.message}; {note}" if note else verdict.message
        before = find_condition(claim.status.conditions, CONDITION)
        conditions = set_condition(
            claim.status.conditions,
            CONDITION,
            verdict.status,
            verdict.reason.value,
            message[:_MESSAGE_LIMIT],
            claim.metadata.generation,
            now,
        )
        if conditions == claim.status.conditions:
            return False
        told = claim.model_copy(update={"status": claim.status.model_copy(update={"conditions": conditions})})
        try:
            await self._client.replace(GPU_PARTITION_CLAIMS, dump(told), subresource="status")
        except NotFound:
            return False
        if before is None or (before.status, before.reason) != (verdict.status, verdict.reason):
            kind: EventKind = "Normal" if verdict.status == "True" else "Warning"
            tell(self._recorder, [_pod_of(claim)], Note(kind, verdict.reason.value, verdict.message, "CheckHealth"))
        return True

    def moved(self, claim: GPUPartitionClaim, where: str) -> None:
        """The pod was evicted; its successor has a place."""
        note = f"evicted from its broken partition; a place is kept for its successor on {where}"
        tell(self._recorder, [_pod_of(claim)], Note("Warning", "PodMoved", note, "Replace"))

    def quarantined(self, node: Manifest, where: str) -> None:
        """Partitions of a GPU get nobody from now on, until a person says otherwise."""
        note = f"{where} gets no claims until its entry in spec.quarantine is removed"
        tell(self._recorder, [node], Note("Warning", "PartitionQuarantined", note, "Quarantine"))

    def silent(self, node: Manifest, verdict: Verdict) -> None:
        """Nothing is known of the node's partitions."""
        tell(self._recorder, [node], Note("Warning", verdict.reason.value, verdict.message, "CheckHealth"))


def _pod_of(claim: GPUPartitionClaim) -> Manifest:
    """The claim's pod as Events name it; the claim itself where it has none."""
    pod, namespace = claim.spec.pod_ref, claim.metadata.namespace
    if pod is None:
        metadata = {"namespace": namespace, "name": claim.metadata.name, "uid": claim.metadata.uid}
        return {"apiVersion": claim.api_version, "kind": claim.kind, "metadata": metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": pod.name, "uid": pod.uid}}
