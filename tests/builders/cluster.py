"""A real Cluster whose informers are fed by hand: no API server, no tasks."""

from typing import Any

from controller.placement.snapshot import Gpu
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.reflection import Applied, Removed, Replaced
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.state.cluster import Cluster
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object
from tests.fakes.clock import FakeClock

Object = dict[str, Any]


class FedCluster:
    """Keeps the Cluster and its clock, and tells its informers what a watch would.

    The client is never entered, so a call to the API server fails at once.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        client = Client(ClientConfiguration("http://localhost:1"), clock=self.clock)
        self.cluster = Cluster(client, self.clock, system_namespace="aim-gpu-system")
        self._versions = 1000
        self._beats: dict[str, int] = {}

    def put(self, informer: Informer, obj: Object) -> None:
        """The watch shows `obj` as it is now; it gets a new resourceVersion."""
        self._versions += 1
        metadata = {**obj["metadata"], "resourceVersion": str(self._versions)}
        informer._take(Applied({**obj, "metadata": metadata}))

    def listed(self, informer: Informer, *objects: Object) -> None:
        """A list shows exactly `objects`; the first one is the informer's first sight."""
        informer._take(Replaced(list(objects)))

    def drop(self, informer: Informer, obj: Object) -> None:
        """The watch shows that `obj` is gone."""
        informer._take(Removed(obj))

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
