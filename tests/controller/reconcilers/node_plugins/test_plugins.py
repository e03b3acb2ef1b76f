from datetime import timedelta
from typing import Any, cast

import pytest

from controller.reconcilers.node_plugins.plugins import SETTLE_SECONDS, NodePlugins
from controller.runtime.client.client import Client
from controller.runtime.client.collection import ObjectList
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import Conflict, NotFound, Unavailable
from controller.runtime.client.resource import Resource
from tests.builders.cluster import FedCluster
from tests.builders.node import node_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.fakes.clock import START, FakeClock

LABEL = "aim.amd.com/metrics-exporter"
EXPORTER = "rocm/device-metrics-exporter:v1"
PLUGIN = "rocm/k8s-device-plugin"


def daemon_pod(
    image: str, name: str = "x-1", *, made: float = 0.0, ready: bool = True, bare: bool = False, **meta: Any
) -> dict[str, Any]:
    """A running pod on the node, made that many seconds after the start; `bare`: nothing would bring it back."""
    created = (START + timedelta(seconds=made)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "x", "uid": f"uid-ds-{image}", "controller": True}
    metadata = {"name": name, "namespace": "amd", "uid": f"uid-{name}", "creationTimestamp": created, **meta}
    return {
        "metadata": metadata if bare else metadata | {"ownerReferences": [owner]},
        "spec": {"nodeName": "worker-0", "containers": [{"name": "main", "image": image}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


class ListingApi(InMemoryApi):
    """The API server in memory, which lists the pods of a node."""

    async def list(self, resource: Resource, *, field_selector: str) -> ObjectList[dict[str, Any]]:
        node = field_selector.removeprefix("spec.nodeName=")
        return ObjectList([pod for pod in self.of(resource) if pod["spec"]["nodeName"] == node], "1")


class Node:
    """A node and what runs there, with an operator's NodePlugins; `crash` is a new process."""

    def __init__(self) -> None:
        self.api = ListingApi()
        self.clock = FakeClock()
        self.api.put(NODES, node_object())
        self.crash()

    def crash(self) -> None:
        self.fed = FedCluster(self.clock)
        self.plugins = NodePlugins(cast("Client", self.api), self.fed.cluster, self.clock)
        self.show()

    def show(self) -> None:
        self.fed.listed(self.fed.cluster.nodes, *self.api.of(NODES))

    async def pause(self) -> str | None:
        answer = await self.plugins.pause("worker-0")
        self.show()
        return answer

    async def restart(self) -> str | None:
        return await self.plugins.restart("worker-0", START + timedelta(seconds=10))

    @property
    def label(self) -> str | None:
        return cast("str | None", self.api.of(NODES)[0]["metadata"]["labels"].get(LABEL))


@pytest.fixture
def node() -> Node:
    return Node()


async def test_pause_labels_the_node_before_it_ends_the_exporter(node: Node) -> None:
    node.api.put(PODS, daemon_pod(EXPORTER))
    told = await node.pause()
    assert told == "waits for the end of metrics exporter amd/x-1, which has its GPUs open"
    assert node.api.writes == ["patch nodes", "delete pods"]
    assert node.label == "paused"


async def test_pause_waits_until_no_exporter_let_in_before_can_appear(node: Node) -> None:
    node.api.put(PODS, daemon_pod(EXPORTER))
    await node.pause()
    assert "sure not to come back" in (await node.pause() or "")
    node.api.put(PODS, daemon_pod(EXPORTER, "x-2"))
    assert "x-2" in (await node.pause() or "")
    node.clock.tick(SETTLE_SECONDS)
    assert await node.pause() is None


async def test_pause_of_a_node_without_exporter_is_done_at_once_and_holds_the_first_one_off(node: Node) -> None:
    node.api.put(PODS, daemon_pod(PLUGIN))
    assert await node.pause() is None
    assert (node.label, node.api.writes) == ("paused", ["patch nodes"])
    assert await node.pause() is None
    assert node.api.writes == ["patch nodes"]


async def test_exporter_that_nothing_would_bring_back_is_left_alone(node: Node) -> None:
    node.api.put(PODS, daemon_pod(EXPORTER, bare=True))
    assert "delete it by hand" in (await node.pause() or "")
    assert node.api.writes == ["patch nodes"]


async def test_an_ending_exporter_is_not_deleted_again(node: Node) -> None:
    node.api.put(PODS, daemon_pod(EXPORTER, deletionTimestamp="2026-01-01T00:00:00Z"))
    assert "waits for the end" in (await node.pause() or "")
    assert node.api.writes == ["patch nodes"]


@pytest.mark.parametrize("error", [NotFound(404, "NotFound", "x"), Conflict(409, "Conflict", "x")])
async def test_exporter_that_somebody_else_deleted_is_fine(node: Node, error: Any) -> None:
    node.api.put(PODS, daemon_pod(EXPORTER))
    node.api.before_write = refusing("delete pods", error)
    assert "waits for the end" in (await node.pause() or "")


async def test_resume_takes_the_label_off_once(node: Node) -> None:
    await node.pause()
    node.crash()
    await node.plugins.resume("worker-0")
    assert node.label is None
    node.show()
    await node.plugins.resume("worker-0")
    assert node.api.writes == ["patch nodes", "patch nodes"]


async def test_a_node_that_is_gone_needs_nothing(node: Node) -> None:
    node.api.objects.clear()
    node.api.before_write = refusing("patch nodes", NotFound(404, "NotFound", "worker-0"))
    assert await node.pause() is None  # the cache still shows it
    assert await node.pause() is None
    await node.plugins.resume("worker-0")
    assert await node.restart() is None


async def test_restart_ends_old_plugins_and_waits_for_ready_successors(node: Node) -> None:
    node.api.put(PODS, daemon_pod(PLUGIN, made=10))
    node.api.put(PODS, daemon_pod(EXPORTER, "exporter", made=1))
    assert "knows the devices of before" in (await node.restart() or "")
    assert "successor of device plugin amd/x-1" in (await node.restart() or "")
    node.api.put(PODS, daemon_pod(PLUGIN, "x-2", made=11, ready=False))
    assert "x-2 on node worker-0 is not Ready yet" in (await node.restart() or "")
    node.api.put(PODS, daemon_pod(PLUGIN, "x-2", made=11))
    assert await node.restart() is None
    assert node.api.writes == ["delete pods"]


async def test_restart_without_plugins_is_done_at_once(node: Node) -> None:
    node.api.put(PODS, daemon_pod("rocm/k8s-device-plugin:labeller-1", made=1))
    assert await node.restart() is None
    assert node.api.writes == []


async def test_plugin_that_nothing_would_bring_back_is_left_alone(node: Node) -> None:
    node.api.put(PODS, daemon_pod(PLUGIN, made=1, bare=True))
    assert "start it again by hand" in (await node.restart() or "")
    node.api.put(PODS, daemon_pod(PLUGIN, made=12, bare=True))  # somebody did
    assert await node.restart() is None
    assert node.api.writes == []


async def test_both_plugins_are_restarted_by_a_process_that_knows_nothing(node: Node) -> None:
    node.api.put(PODS, daemon_pod(PLUGIN, "a", made=1))
    node.api.put(PODS, daemon_pod("k8s-device-plugin", "b", made=1))
    node.api.before_write = refusing("delete pods", Unavailable(503, "Unavailable", "nobody answers"))
    with pytest.raises(Unavailable):
        await node.restart()
    node.crash()
    await node.restart()
    assert node.api.of(PODS) == []
