"""The GPUNode reconciler: the label on the Node decides, the agent fills the rest."""

from api.group import MANAGED_LABEL
from api.object import ObjectMeta, OwnerReference, dump
from api.v1beta1 import GPUNode
from api.v1beta1.gpu_node import GPUNodeSpec
from controller.runtime.client.client import Client
from controller.runtime.client.errors import AlreadyExists, NotFound
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.kinds import GPU_NODES
from controller.translate.node import HostView


class GPUNodeReconciler:
    """Keeps GPUNodes in step with the label of their Nodes."""

    def __init__(self, client: Client, cluster: Cluster) -> None:
        self._client = client
        self._cluster = cluster

    async def reconcile(self, request: Request) -> Result:
        """Make, adopt or switch off the GPUNode of one Node."""
        host = self._cluster.host_table.get(request.name)
        if host is None:
            return Result()  # the garbage collector takes the GPUNode with its Node
        wanted = host.labels.get(MANAGED_LABEL) == "true"
        present = self._cluster.gpu_node_table.get(request.name)
        if present is None:
            if wanted:
                await self._create(host)
            return Result()
        if host.uid not in [owner.uid for owner in present.metadata.owner_references]:
            await self._start_over(present)
            return Result(requeue_after=0.5)
        if present.spec.managed != wanted:
            await self._client.merge_patch(GPU_NODES, request.name, {"spec": {"managed": wanted}})
        return Result()

    async def _create(self, host: HostView) -> None:
        node = GPUNode(
            metadata=ObjectMeta(
                name=host.name,
                owner_references=[OwnerReference(api_version="v1", kind="Node", name=host.name, uid=host.uid)],
            ),
            spec=GPUNodeSpec(),
        )
        body = dump(node)
        body.pop("status", None)
        try:
            await self._client.create(GPU_NODES, body)
        except AlreadyExists:
            return

    async def _start_over(self, present: GPUNode) -> None:
        """A Node of the same name that is another machine: what was known of the old one is worth nothing."""
        try:
            await self._client.delete(GPU_NODES, present.metadata.name, uid=present.metadata.uid)
        except NotFound:
            return
