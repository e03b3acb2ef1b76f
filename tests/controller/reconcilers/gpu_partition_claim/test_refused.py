"""What becomes of a bound pod that the scheduler refuses for another reason than its device."""

from typing import Any

import pytest

from controller.reconcilers.gpu_partition_claim.repair import PATIENCE_SECONDS
from controller.runtime.client.core import NODES, PODS
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.pod import pod
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

OWNER = {
    "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "rs-1", "controller": True, "apiVersion": "v1"}],
    "labels": {"pod-template-hash": "h1"},
}
SAID = "0/2 nodes are available: 1 node(s) had a volume in another zone."


@pytest.fixture
def two(api: InMemoryApi) -> InMemoryApi:
    """Another node alike."""
    api.put(NODES, node_object("worker-1"))
    api.put(GPU_NODES, gpu_node("worker-1"))
    return api


def make(api: InMemoryApi, name: str, claim: str) -> None:
    api.put(PODS, pod(name, claim=claim, annotations=SMALL, metadata=OWNER | {"uid": f"uid-{name}"}))


def refuse(api: InMemoryApi, clock: FakeClock, seconds: float = PATIENCE_SECONDS + 1) -> None:
    """The scheduler refuses the one pod, and as much time passes."""
    (stored,) = api.of(PODS)
    said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": SAID}
    api.put(PODS, stored | {"status": {"phase": "Pending", "conditions": [said]}})
    clock.tick(seconds)


def status(api: InMemoryApi, claim: str) -> dict[str, Any]:
    (found,) = [one for one in api.of(GPU_PARTITION_CLAIMS) if one["metadata"]["name"] == claim]
    told: dict[str, Any] = found["status"]
    return told


def node_of(api: InMemoryApi, claim: str) -> str:
    return str(status(api, claim)["allocation"]["node"])


async def bind(operator: Operator, claim: str) -> None:
    for _ in range(3):
        await operator.round(f"team-a/{claim}")


async def test_its_successor_goes_to_another_node_though_its_place_is_free_again(
    two: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    make(two, "model-0", "aim-a")
    await bind(operator, "aim-a")
    before = node_of(two, "aim-a")
    refuse(two, clock)
    await operator.round("team-a/aim-a")
    assert two.of(PODS) == []
    assert ("Warning", "PodReplaced") in operator.told
    await operator.round("team-a/aim-a")
    make(two, "model-1", "aim-b")
    await bind(operator, "aim-b")
    assert {before, node_of(two, "aim-b")} == {"worker-0", "worker-1"}


async def test_the_second_refusal_is_borne_longer_and_with_no_node_left_it_is_told_and_not_made_anew(
    two: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    make(two, "model-0", "aim-a")
    await bind(operator, "aim-a")
    refuse(two, clock)
    await bind(operator, "aim-a")
    make(two, "model-1", "aim-b")
    await bind(operator, "aim-b")
    for _ in range(5):
        refuse(two, clock, PATIENCE_SECONDS * 2)
        await operator.round("team-a/aim-b")
    assert [one["metadata"]["name"] for one in two.of(PODS)] == ["model-1"]
    (stuck,) = [one for one in status(two, "aim-b")["conditions"] if one["type"] == "Stuck"]
    assert (stuck["status"], stuck["reason"]) == ("True", "SchedulerRefused")
    assert "volume in another zone" in stuck["message"]
    assert "another node" in stuck["message"]


async def test_a_refused_pod_of_nobody_is_told_with_the_schedulers_words(
    two: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await bind(operator, "aim-a")
    refuse(two, clock)
    await operator.round()
    (stuck,) = [one for one in status(two, "aim-a")["conditions"] if one["type"] == "Stuck"]
    assert "volume in another zone" in stuck["message"]
    assert "delete the pod" in stuck["message"]
    assert len(two.of(PODS)) == 1


async def test_what_it_says_stays_the_same_so_it_is_written_once(
    two: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await bind(operator, "aim-a")
    refuse(two, clock)
    await operator.round()
    written = list(two.writes)
    for _ in range(3):
        clock.tick(PATIENCE_SECONDS)
        await operator.round()
    assert two.writes == written


async def test_one_that_waits_tells_what_the_scheduler_said_of_its_predecessor(
    two: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    make(two, "model-0", "aim-a")
    await bind(operator, "aim-a")
    refuse(two, clock)
    await bind(operator, "aim-a")
    for name in ("worker-0", "worker-1"):
        two.put(NODES, node_object(name, unschedulable=name == "worker-1"))
    make(two, "model-1", "aim-b")
    await bind(operator, "aim-b")
    told = status(two, "aim-b")["explanation"]
    assert "volume in another zone" in told
    assert "left out" in told
