"""A pod that fits nowhere: when it is let go, what it is told, and what becomes of the scheduler's choice."""

from typing import Any

import pytest

from controller.placement.snapshot import Gpu
from controller.reconcilers.gpu_partition_claim.autoscaler import PATIENCE_SECONDS
from controller.reconcilers.gpu_partition_claim.claim_refusals import LONGEST_SECONDS
from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import Forbidden, Unavailable
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES
from tests.builders.claim import bound_claim
from tests.builders.gpu import device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.pod import GATE, pod
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, refusing
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

KEY = "team-a/aim-a"
OWNED = {"ownerReferences": [{"kind": "ReplicaSet", "name": "chat", "uid": "uid-rs", "controller": True}]}


@pytest.fixture
def api() -> InMemoryApi:
    """Two partitions of one GPU, both held; and a policy that lets pods go."""
    stored = InMemoryApi()
    stored.put(NODES, node_object())
    stored.put(GPU_NODES, gpu_node("worker-0", gpu(0, "DPX/NPS1")))
    stored.put(GPU_SHARING_POLICIES, policy_object(whenFull="ReleaseForAutoscaler"))
    stored.put(PODS, pod(annotations=SMALL, metadata=OWNED))
    for index in (0, 1):
        stored.put(PODS, pod(f"other-{index}", claim=f"aim-{index}", gates=(), node="worker-0"))
        held = bound_claim(f"aim-{index}", index=index, pod=f"other-{index}", phase="Allocated")
        for device in held["status"]["allocation"]["devices"]:
            device["mode"] = "DPX/NPS1"
        stored.put(GPU_PARTITION_CLAIMS, held)
    return stored


def claim(api: InMemoryApi) -> dict[str, Any]:
    found: dict[str, Any] = api.objects["gpupartitionclaims", "team-a", "aim-a"]
    return found


def the_pod(api: InMemoryApi) -> dict[str, Any]:
    found: dict[str, Any] = api.objects["pods", "team-a", "model-0"]
    return found


def gated(api: InMemoryApi) -> bool:
    return {"name": GATE} in the_pod(api)["spec"].get("schedulingGates", [])


async def let_go(operator: Operator, clock: FakeClock) -> None:
    for _ in range(2):
        await operator.round()
    clock.tick(PATIENCE_SECONDS)
    for _ in range(2):
        await operator.round()


def new_node(api: InMemoryApi, whole: Gpu, **fields: Any) -> None:
    """The autoscaler's node is there, and the scheduler has given its first partition to the pod."""
    api.put(NODES, node_object("worker-1"))
    api.put(GPU_NODES, gpu_node("worker-1", whole, **fields))
    given = dict(api.objects["resourceclaims", "team-a", "aim-a"])
    result = {"request": "gpu", "driver": "gpu.amd.com", "pool": "worker-1", "device": device_name(0, 0)}
    api.put(RESOURCE_CLAIMS, given | {"status": {"allocation": {"devices": {"results": [result]}}}})


async def test_it_waits_here_first(api: InMemoryApi, operator: Operator) -> None:
    for _ in range(3):
        await operator.round()
    assert gated(api)
    assert "released" not in claim(api)["status"]


async def test_then_it_is_let_go_for_a_kind_and_no_node(api: InMemoryApi, operator: Operator, clock: FakeClock) -> None:
    await let_go(operator, clock)
    assert not gated(api)
    assert "nodeSelector" not in the_pod(api)["spec"]
    told = the_pod(api)["metadata"]["annotations"]
    assert told["aim.amd.com/assigned-partition"] == "MI300X DPX/NPS1"
    assert "max-model-len" in told["aim.amd.com/engine-args"]
    (request,) = api.of(RESOURCE_CLAIMS)[0]["spec"]["devices"]["requests"]
    assert "renderIndex" not in request["exactly"]["selectors"][0]["cel"]["expression"]
    assert claim(api)["status"]["released"]["mode"] == "DPX/NPS1"


async def test_no_policy_no_release(api: InMemoryApi, operator: Operator, clock: FakeClock) -> None:
    api.put(GPU_SHARING_POLICIES, policy_object())
    await let_go(operator, clock)
    assert gated(api)


@pytest.mark.parametrize("number", range(3))
async def test_a_crash_between_two_writes_is_made_up_for(api: InMemoryApi, clock: FakeClock, number: int) -> None:
    first = Operator(api, clock)
    for _ in range(2):
        await first.round()
    clock.tick(PATIENCE_SECONDS)
    done = len(api.writes)

    def die(_: str) -> None:
        if len(api.writes) >= done + number:
            raise Unavailable(503, "ServiceUnavailable", "gone")

    api.before_write = die
    await first.round()
    api.before_write = lambda _: None
    await let_go(Operator(api, clock), clock)
    assert not gated(api)
    assert len(api.of(RESOURCE_CLAIMS)) == 1


async def test_what_the_scheduler_gave_is_recorded_and_counts_as_held(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await let_go(operator, clock)
    arguments = the_pod(api)["metadata"]["annotations"]["aim.amd.com/engine-args"]
    new_node(api, gpu(0, "DPX/NPS1"))
    operator.show()
    operator.show()
    snapshot = operator.cluster.snapshot()
    node = snapshot.node("worker-1")
    assert node is not None
    holders = [partition.holder for partition in node.gpus[0].partitions]
    assert [holder and holder.name for holder in holders] == [KEY, None]
    for _ in range(3):
        await operator.round()
    status = claim(api)["status"]
    assert (status["phase"], status["allocation"]["node"]) == ("Allocated", "worker-1")
    assert "released" not in status
    told = the_pod(api)["metadata"]["annotations"]
    assert told["aim.amd.com/assigned-node"] == "worker-1"
    assert told["aim.amd.com/engine-args"] == arguments


async def test_a_pod_on_a_gpu_of_another_mode_is_replaced(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await let_go(operator, clock)
    new_node(api, gpu(0, "CPX/NPS4"))
    for _ in range(3):
        await operator.round()
    assert ("pods", "team-a", "model-0") not in api.objects


async def test_a_pod_for_which_no_resource_claim_may_be_made_is_not_let_go_and_later_it_is(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    said = "exceeded quota: gpus, requested: d/devices=1, used: d/devices=2, limited: d/devices=2"
    api.before_write = refusing("create resourceclaims", Forbidden(403, "Forbidden", said))
    await let_go(operator, clock)
    told = {one["type"]: one["reason"] for one in claim(api)["status"]["conditions"]}
    assert (told["Bound"], gated(api)) == ("QuotaExceeded", True)
    assert "released" not in claim(api)["status"]
    for _ in range(3):
        clock.tick(LONGEST_SECONDS)
        await let_go(operator, clock)
    assert not gated(api)
