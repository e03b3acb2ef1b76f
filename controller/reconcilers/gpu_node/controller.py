"""The GPUNode reconciler: the label on the Node decides, the agent fills the rest, and the Node is labelled from it."""

from api.group import MANAGED_LABEL
from api.object import ObjectMeta, OwnerReference, dump
from api.v1beta1 import GPUNode
from api.v1beta1.gpu_node import GPUNodeSpec
from controller.reconcilers.gpu_node.labelling import labels_patch
from controller.reconcilers.repartition_plan.taint import sweep_taint
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import AlreadyExists, Conflict, NotFound
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.kinds import GPU_NODES
from controller.translate.node import HostView

#: A GPUNode of another machine is on its way out, or others keep writing the Node: looked at again after this, seconds.
SOON_SECONDS = 0.5


class GPUNodeReconciler:
    """Keeps GPUNodes in step with the label of their Nodes, and the Nodes' other labels with their GPUNodes."""

    def __init__(self, client: Client, cluster: Cluster) -> None:
        self._client = client
        self._cluster = cluster

    async def reconcile(self, request: Request) -> Result:
        """Make, adopt or switch off the GPUNode of one Node, then label the Node and take off a taint left behind."""
        host = self._cluster.host_table.get(request.name)
        if host is None:
            return Result()  # the garbage collector takes the GPUNode with its Node
        managed = host.labels.get(MANAGED_LABEL) == "true"
        present = self._cluster.gpu_node_table.get(request.name)
        if present is None:
            if managed:
                await self._create(host)
        elif host.uid not in [owner.uid for owner in present.metadata.owner_references]:
            await self._start_over(present)
            return Result(requeue_after=SOON_SECONDS)
        elif present.spec.managed != managed:
            await self._client.merge_patch(GPU_NODES, request.name, {"spec": {"managed": managed}})
        await self._label(request.name, present if managed else None)
        swept = await sweep_taint(self._client, self._cluster, self._cluster.plan_table.values(), request.name)
        return Result() if swept else Result(requeue_after=SOON_SECONDS)

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

    async def _label(self, name: str, gpu_node: GPUNode | None) -> None:
        """Write what differs; `gpu_node` None takes back what we wrote."""
        node = self._cluster.nodes.store.get(name)
        if node is None:
            return
        changing = bool(self._cluster.plan_table.running_on(name))
        patch = labels_patch(node.metadata, gpu_node, changing=changing)
        if patch is None:
            return
        try:
            await self._client.merge_patch(NODES, name, {"metadata": patch})
        except (NotFound, Conflict):
            return  # the Node is gone, or another machine's by now: its event is on the way
