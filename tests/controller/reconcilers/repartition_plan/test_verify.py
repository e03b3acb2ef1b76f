from datetime import datetime
from typing import Any

import pytest

from api.v1beta1 import GPUNode
from controller.placement.snapshot import Gpu
from controller.reconcilers.repartition_plan.advertised import advertised, difference, reported
from controller.repartition.phases import Phase
from controller.state.kinds import GPU_NODES
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.policy import policy_object
from tests.builders.resource_slice import resource_slice
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, NEIGHBOUR, Plane

TORN = {"type": "Consistent", "status": "False", "reason": "SourcesDisagree", "message": "8 and 7"}
SINCE = {"lastTransitionTime": "2026-01-01T00:00:00Z"}


async def applied(*gpus: Gpu, **status: Any) -> Plane:
    """A plan whose change the agent has made; the node reports `gpus` then."""
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    plane.agent("Succeeded", *(gpus or (AFTER,)), **status)
    await plane.settle()
    return plane


@pytest.mark.parametrize(
    ("has", "publishes", "want"),
    [
        pytest.param(AFTER, AFTER, "Succeeded", id="reported and advertised"),
        pytest.param(BEFORE, AFTER, "RollingBack", id="another mode"),
        pytest.param(AFTER, BEFORE, "Verifying", id="the driver still advertises the former partitions"),
        pytest.param(AFTER, None, "Verifying", id="the driver advertises nothing"),
        pytest.param(gpu(1, "CPX/NPS1"), AFTER, "RollingBack", id="the GPU is not reported"),
    ],
)
async def test_what_is_verified(has: Gpu, publishes: Gpu | None, want: str) -> None:
    plane = await applied(has)
    if publishes is not None:
        plane.driver(publishes)
    await plane.settle()
    assert plane.status["phase"] == want, plane.status["message"]


async def test_plugins_that_know_the_former_partitions_are_restarted() -> None:
    plane = await applied()
    plane.plugins.restarting = "waits for the successor of the device plugin"
    plane.driver(AFTER)
    await plane.settle()
    assert (plane.status["phase"], plane.status["message"]) == ("Verifying", plane.plugins.restarting)
    assert "restart worker-0 00:00:00" in plane.plugins.asked
    plane.plugins.restarting = None
    await plane.until("Succeeded")


async def test_a_mode_that_somebody_changes_while_plugins_are_asked_for_is_not_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plane = await applied()
    plane.driver(AFTER)

    async def changed_meanwhile(_node: str, _since: datetime) -> None:
        plane.report(BEFORE)
        plane.driver(BEFORE)
        plane.show()

    monkeypatch.setattr(plane.plugins, "restart", changed_meanwhile)
    await plane.settle()
    assert plane.status["phase"] == "RollingBack", plane.status["message"]


async def test_hardware_that_contradicts_itself_is_not_verified() -> None:
    plane = await applied(AFTER, conditions=[TORN | SINCE])
    plane.driver(AFTER)
    await plane.settle()
    assert plane.status["message"] == "the hardware contradicts itself: 8 and 7"
    await plane.past_deadline(Phase.VERIFYING)
    assert plane.status["phase"] == "RollingBack"


async def test_a_mode_that_cannot_be_read_now_is_no_other_mode() -> None:
    plane = await applied()
    (node,) = plane.api.of(GPU_NODES)
    unread = [{key: value for key, value in one.items() if key != "mode"} for one in node["status"]["gpus"]]
    plane.api.put(GPU_NODES, node | {"status": node["status"] | {"gpus": unread}})
    plane.driver(AFTER)
    await plane.settle()
    assert (plane.status["phase"], plane.status["message"]) == ("Verifying", f"the modes of {bdf(0)} cannot be read")


def test_devices_are_named_with_their_profile() -> None:
    assert reported(GPUNode.model_validate(gpu_node("worker-0", BEFORE))) == {f"{device_name(0, 0)} spx_nps1"}


def test_only_the_newest_generation_of_the_nodes_own_pool_counts() -> None:
    fed = FedCluster()
    for each in (
        resource_slice("worker-0", gpu(0, "CPX/NPS1"), generation=1),
        resource_slice("worker-0", gpu(0, "SPX/NPS1"), generation=2, number=1),
        resource_slice("worker-0", gpu(1, "SPX/NPS1"), generation=2, number=2),
        resource_slice("worker-0", gpu(2, "SPX/NPS1"), generation=9, driver="other.example.com"),
        resource_slice("worker-1", gpu(3, "SPX/NPS1"), generation=9),
    ):
        fed.put(fed.cluster.resource_slices, each)
    assert advertised(fed.cluster, "worker-0") == {f"{device_name(number, 0)} spx_nps1" for number in (0, 1)}


@pytest.mark.parametrize(
    ("gpus", "counts", "want"),
    [
        pytest.param((AFTER, NEIGHBOUR), {"amd.com/cpx_nps1": "8", "amd.com/spx_nps1": "1"}, None, id="by mode"),
        pytest.param((AFTER,), {"amd.com/cpx_nps1": "8", "amd.com/spx_nps1": "0"}, None, id="a former name is left"),
        pytest.param((AFTER,), {"amd.com/gpu": "8"}, None, id="one name"),
        pytest.param((AFTER,), {"amd.com/gpu": "1"}, "1 amd.com/gpu, the inventory has 8 amd.com/gpu", id="old count"),
        pytest.param(
            (AFTER,),
            {"amd.com/spx_nps1": "1"},
            "1 amd.com/spx_nps1, the inventory has 8 amd.com/cpx_nps1",
            id="old mode",
        ),
        pytest.param((AFTER, NEIGHBOUR), {"amd.com/gpu": "9"}, "nothing that it can name", id="one name, two modes"),
        pytest.param((AFTER,), {"amd.com/cpx_nps1": "0"}, "differ in 8", id="nothing is advertised"),
    ],
)
def test_where_no_slices_are_the_device_plugins_counts_have_to_match(
    gpus: tuple[Gpu, ...], counts: dict[str, str], want: str | None
) -> None:
    fed = FedCluster()
    plenty = {"cpu": "128", "memory": "2048Gi", "pods": "110"}
    fed.put(fed.cluster.nodes, node_object(allocatable=plenty | counts))
    fed.put(fed.cluster.gpu_nodes, gpu_node("worker-0", *gpus))
    found = difference(fed.cluster, "worker-0")
    assert found is None if want is None else want in (found or "")


@pytest.mark.parametrize(
    ("published", "counts", "want"),
    [
        pytest.param(AFTER, {"amd.com/cpx_nps1": "8"}, None, id="both tell the new partitions"),
        pytest.param(AFTER, {"amd.com/spx_nps1": "1"}, "advertises 1 amd.com/spx_nps1", id="slices alone do"),
        pytest.param(BEFORE, {"amd.com/cpx_nps1": "8"}, None, id="counts alone do"),
        pytest.param(AFTER, {"amd.com/spx_nps1": "0"}, "the inventory has 8 amd.com/cpx_nps1", id="it restarts"),
        pytest.param(AFTER, {}, "has advertised nothing yet", id="it never ran"),
    ],
)
def test_where_pods_are_bound_by_the_device_plugin_its_counts_are_compared(
    published: Gpu, counts: dict[str, str], want: str | None
) -> None:
    fed = by_plugin(counts, AFTER)
    fed.put(fed.cluster.resource_slices, resource_slice("worker-0", published))
    found = difference(fed.cluster, "worker-0")
    assert found is None if want is None else want in (found or "")


def test_a_plugin_that_names_all_devices_alike_serves_no_node_of_several_modes() -> None:
    found = difference(by_plugin({"amd.com/gpu": "0"}, AFTER, NEIGHBOUR).cluster, "worker-0")
    assert "nothing that it can name" in (found or "")


def by_plugin(counts: dict[str, str], *gpus: Gpu) -> FedCluster:
    """A node whose policy binds by the device plugin, which advertises these counts."""
    fed = FedCluster()
    plenty = {"cpu": "128", "memory": "2048Gi", "pods": "110"}
    fed.put(fed.cluster.policies, policy_object(binding="DevicePlugin"))
    fed.put(fed.cluster.nodes, node_object(allocatable=plenty | counts))
    fed.put(fed.cluster.gpu_nodes, gpu_node("worker-0", *gpus))
    return fed
