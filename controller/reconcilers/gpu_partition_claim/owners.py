"""Who made a pod: the object whose user should hear why it waits."""

from typing import Any

from api.group import SERVICE_LABEL
from api.object import KubernetesObject
from controller.runtime.client.client import Client
from controller.runtime.client.core import REPLICA_SETS
from controller.runtime.client.errors import ApiError
from controller.runtime.objects.metadata import OwnerReference, PartialObject
from controller.state.cluster import Cluster
from controller.translate.pod import PodView

#: Owners remembered; a ReplicaSet's owner never changes.
REMEMBERED = 4096


class Owners:
    """Finds the top owner of a pod: our InferenceService, the Deployment, or the controller itself."""

    def __init__(self, client: Client, cluster: Cluster) -> None:
        self._client = client
        self._cluster = cluster
        self._of_replica_set: dict[str, dict[str, Any] | None] = {}

    async def of(self, pod: PodView) -> dict[str, Any] | None:
        """A reference to the owner, None for a pod that nobody made."""
        service = pod.labels.get(SERVICE_LABEL)
        if service is not None:
            found = self._cluster.service_table.get(f"{pod.namespace}/{service}")
            if found is not None:
                return reference(found)
        if pod.owner is None:
            return None
        kind, name, uid = pod.owner
        if kind != "ReplicaSet":
            return _reference("v1", kind, pod.namespace, name, uid)
        return await self._above(pod.namespace, name, uid)

    async def _above(self, namespace: str, name: str, uid: str) -> dict[str, Any] | None:
        if uid not in self._of_replica_set:
            if len(self._of_replica_set) >= REMEMBERED:
                self._of_replica_set.clear()
            try:
                replica_set = await self._client.get(REPLICA_SETS, name, namespace, into=PartialObject)
            except ApiError:
                return None  # an Event on the pod alone is better than none
            above = [reference for reference in replica_set.metadata.owner_references if reference.controller]
            itself = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name=name, uid=uid)
            owner = above[0] if above else itself
            self._of_replica_set[uid] = _reference(owner.api_version, owner.kind, namespace, owner.name, owner.uid)
        return self._of_replica_set[uid]


def reference(obj: KubernetesObject) -> dict[str, Any]:
    """One of our own objects as Events name it."""
    metadata = obj.metadata
    return _reference(obj.api_version, obj.kind, metadata.namespace, metadata.name, metadata.uid)


def _reference(api_version: str, kind: str, namespace: str | None, name: str, uid: str) -> dict[str, Any]:
    metadata = {"name": name, "uid": uid} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
