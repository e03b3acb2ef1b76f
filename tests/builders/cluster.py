"""A real Cluster whose informers are fed by hand: no API server, no tasks."""

from typing import Any, Final

from msgspec import Struct

from controller.placement.snapshot import Gpu
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.messages import Applied, Removed, Replaced
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import (
    CONFIG_MAPS,
    LEASES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from controller.runtime.client.resource import Resource
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.lease import Lease
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.objects.node import Node
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.replica_set import ReplicaSet
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.runtime.objects.resource_slice import ResourceSlice
from controller.state.cluster import Cluster
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object
from tests.fakes.clock import FakeClock

Object = dict[str, Any]

DECODED: Final[dict[Resource, type[Struct]]] = {
    PODS: Pod,
    NODES: Node,
    RESOURCE_CLAIMS: ResourceClaim,
    RESOURCE_SLICES: ResourceSlice,
    LEASES: Lease,
    CONFIG_MAPS: PartialObject,
    REPLICA_SETS: ReplicaSet,
}
"""What the informers of these resources hold; the others hold dicts."""


def decoded(resource: Resource, obj: Object) -> Any:
    """`obj` as an informer of the resource decodes it."""
    into = DECODED.get(resource)
    return obj if into is None else typed(obj, into)


class FedCluster:
    """Keeps the Cluster and its clock, and tells its informers what a watch would; objects are given as on the wire.

    The client is never entered, so a call to the API server fails at once.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        client = Client(ClientConfiguration("http://localhost:1"), clock=self.clock)
        self.cluster = Cluster(client, self.clock, system_namespace="aim-gpu-system")
        self._versions = 1000
        self._beats: dict[str, int] = {}

    def put(self, informer: Informer[Any], obj: Object) -> None:
        """The watch shows `obj` as it is now; it gets a new resourceVersion."""
        self._versions += 1
        metadata = {**obj["metadata"], "resourceVersion": str(self._versions)}
        informer._take(Applied(decoded(informer.resource, {**obj, "metadata": metadata})))

    def listed(self, informer: Informer[Any], *objects: Object) -> None:
        """A list shows exactly `objects`; the first one is the informer's first sight."""
        informer._take(Replaced([decoded(informer.resource, obj) for obj in objects]))

    def drop(self, informer: Informer[Any], obj: Object) -> None:
        """The watch shows that `obj` is gone."""
        informer._take(Removed(decoded(informer.resource, obj)))

    def beat(self, node: str) -> None:
        """The agent's Lease is renewed; the first time it is only seen to be there."""
        beat = self._beats.get(node, -1) + 1
        self._beats[node] = beat
        if beat == 0:
            self.listed(self.cluster.leases, *(lease(name, beat=b) for name, b in self._beats.items()))
        else:
            self.put(self.cluster.leases, lease(node, beat=beat))

    def add_node(self, name: str, *gpus: Gpu, alive: bool = True, **fields: Any) -> None:
        """A node with its inventory; `alive`: its agent was seen to renew its Lease."""
        self.put(self.cluster.nodes, node_object(name, **fields))
        self.put(self.cluster.gpu_nodes, gpu_node(name, *gpus))
        if alive:
            self.beat(name)
            self.beat(name)
