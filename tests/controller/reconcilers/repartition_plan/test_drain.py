from typing import Any

import pytest

from controller.reconcilers.repartition_plan.controller import LOOK_AGAIN_SECONDS
from controller.repartition.phases import Phase
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import Cause, Conflict, NotFound, TooManyRequests
from controller.runtime.reconcile import Result
from controller.state.kinds import GPU_NODES
from controller.telemetry.instruments import SCHEDULER_EVICTIONS
from tests.builders.claim import allocation
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan, reservation
from tests.builders.pod import pod
from tests.controller.reconcilers.gpu_partition_claim.api import NOT_ANSWERED
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR, ORDER, STATUS_WRITE, Plane

BY_BUDGET = TooManyRequests(
    429, "TooManyRequests", "needs 1 healthy pods and has 1 currently", (Cause("", "DisruptionBudget", "no"),)
)


def serving(*names: str, spare: int = 1, budget: int = 1, **spec: Any) -> Plane:
    """Pods on the first GPUs, which the plan changes, `spare` idle GPUs after them, and a person's approval."""
    numbers = range(len(names))
    gpus = [gpu(number, "SPX/NPS1") for number in range(len(names) + spare)]
    touched = {key: {"gpus": [{"bdf": bdf(n), "mode": mode} for n in numbers or (0,)]} for key, mode in LAYOUTS.items()}
    plane = Plane("Pending", *gpus, **({"approved": True} | touched | spec))
    plane.policy(repartition={"maxUnavailablePods": budget})
    for number, name in enumerate(names):
        plane.serves(name, number)
    return plane


LAYOUTS = {"from": "SPX/NPS1", "to": "CPX/NPS1"}


def refusing(error: Exception) -> Any:
    def refuse(_: str) -> None:
        raise error

    return refuse


def kept(plane: Plane) -> list[tuple[str, str, bool]]:
    return [(one["pod"], one["bdf"], "evictedTime" in one) for one in plane.status["reservations"]]


async def test_a_place_stands_in_the_status_before_its_pod_is_evicted() -> None:
    plane = serving("web-1")
    seen: list[list[tuple[str, str, bool]]] = []
    plane.api.refuse = lambda _: seen.append(kept(plane))
    await plane.settle()
    assert seen == [[("web-1", bdf(1), False)]]
    assert plane.api.evictions == [("web-1", "uid-web-1")]
    assert plane.counting.of(SCHEDULER_EVICTIONS) == [("Repartition",)]
    assert kept(plane) == [("web-1", bdf(1), True)]
    (place,) = plane.status["reservations"]
    assert (place["owner"], place["claim"], place["mode"], place["node"]) == (
        "rs-1",
        "aim-web-1",
        "SPX/NPS1",
        "worker-0",
    )


async def test_once_the_pods_have_left_the_plan_goes_on() -> None:
    plane = serving("web-1")
    await plane.until("Applying")
    assert plane.steps == ["Draining", "Quiescing", "Applying"]


async def test_a_disruption_budget_that_never_allows_is_waited_out() -> None:
    plane = serving("web-1")
    plane.api.refuse = refusing(BY_BUDGET)
    assert await plane.settle() == Result(requeue_after=LOOK_AGAIN_SECONDS)
    assert "waits for disruption budgets: team-a/web-1: " in plane.status["message"]
    settled = len(plane.api.writes)
    await plane.settle()
    assert len(plane.api.writes) == settled
    await plane.past_deadline(Phase.DRAINING)
    assert (plane.status["phase"], plane.status["reservations"]) == ("Failed", [])
    assert len(plane.api.of(PODS)) == 1
    assert ORDER not in plane.api.writes


async def test_nobody_is_evicted_after_the_deadline() -> None:
    plane = serving("web-1")
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    plane.api.refuse = lambda _: None
    plane.restart()
    await plane.past_deadline(Phase.DRAINING)
    assert (plane.api.evictions, plane.status["phase"]) == ([], "Failed")
    assert plane.counting.of(SCHEDULER_EVICTIONS) == []


@pytest.mark.parametrize(
    ("spec", "owner", "want"),
    [
        pytest.param({"approved": False, "approval": "Auto"}, "rs-1", "by a person's approval", id="not approved"),
        pytest.param({}, None, "no controller makes a successor", id="nobody would bring it back"),
    ],
)
async def test_who_may_not_be_moved_is_waited_for(spec: dict[str, Any], owner: str | None, want: str) -> None:
    plane = serving("web-1", **spec)
    plane.serves("web-1", owner=owner)
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions, plane.status["reservations"]) == ("Draining", [], [])
    assert want in plane.status["message"]


async def test_a_claim_of_higher_priority_moves_pods_without_a_person() -> None:
    plane = serving("web-1", approved=False, approval="Auto", claimRef=CLAIM)
    plane.waits("big", priority=100)
    await plane.until("Applying")
    assert plane.api.evictions == [("web-1", "uid-web-1")]


CLAIM = {"namespace": "team-a", "name": "aim-big", "uid": "uid-team-a/aim-big"}


async def test_one_of_equal_priority_does_not() -> None:
    plane = serving("web-1", approved=False, approval="Auto", claimRef=CLAIM)
    plane.waits("big", priority=0)
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions) == ("Draining", [])


async def test_without_a_place_nobody_moves() -> None:
    plane = serving("web-1", spare=0)
    await plane.settle()
    assert (plane.api.evictions, plane.status["reservations"]) == ([], [])
    assert "no free one takes it" in plane.status["message"]


async def test_no_more_pods_are_down_at_once_than_the_budget_allows() -> None:
    plane = serving("web-1", "web-2", spare=2)
    await plane.settle()
    assert len(plane.api.evictions) == 1
    (first,) = plane.status["reservations"]
    plane.serves("web-3", 2 if first["bdf"] == bdf(2) else 3)
    await plane.until("Applying")
    assert len(plane.api.evictions) == 2


async def test_the_budget_is_asked_again_before_each_eviction() -> None:
    """Both have their places already when the policy lets only one be down."""
    plane = serving("web-1", "web-2", spare=2, budget=2)
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    assert len(kept(plane)) == 2
    plane.api.refuse = lambda _: None
    plane.policy(repartition={"maxUnavailablePods": 1})
    await plane.settle()
    assert len(plane.api.evictions) == 1
    assert "waits: 1 of repartition.maxUnavailablePods 1 pods are down" in plane.status["message"]
    (first,) = [place for _, place, gone in kept(plane) if gone]
    plane.serves("web-3", 2 if first == bdf(2) else 3)
    await plane.settle()
    assert len(plane.api.evictions) == 2


@pytest.mark.parametrize("gone", ["told", "not told yet"])
async def test_pods_that_others_move_meanwhile_count_before_an_eviction(gone: str) -> None:
    plane = serving("web-1")
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    plane.api.refuse = lambda _: None
    other = plan("other", "worker-1", phase="Draining", numbers=(5,))
    evicted: dict[str, Any] = {"evictedTime": "2026-01-01T00:00:00Z"} if gone == "told" else {}
    other["status"]["reservations"] = [reservation(bdf(7), owner="rs-9", **evicted)]
    plane.put_plan(other)
    await plane.settle()
    assert (plane.api.evictions, kept(plane)) == ([], [("web-1", bdf(1), False)])


async def test_a_pod_that_leaves_for_a_claim_counts_before_an_eviction() -> None:
    plane = serving("web-1")
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    plane.api.refuse = lambda _: None
    plane.api.put(PODS, pod("other", node="worker-1", phase="Running"))
    plane.show()
    view = plane.fed.cluster.pod_table.view("team-a/other")
    assert view is not None
    plane.fed.cluster.leaving.ask(view)
    await plane.settle()
    assert (plane.api.evictions, kept(plane)) == ([], [("web-1", bdf(1), False)])
    del plane.api.objects["pods", "team-a", "other"]
    await plane.settle()
    assert plane.api.evictions == [("web-1", "uid-web-1")]


async def test_places_that_others_keep_for_pods_that_still_serve_hold_up_no_eviction() -> None:
    plane = serving("web-1")
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    plane.api.refuse = lambda _: None
    plane.serves("model-0", 1, owner="rs-9")
    plane.api.objects["pods", "team-a", "model-0"]["spec"]["resourceClaims"][0]["resourceClaimName"] = "aim-a"
    other = plan("other", "worker-1", phase="Draining", numbers=(5,))
    other["status"]["reservations"] = [reservation(bdf(7), owner="rs-9", claim="aim-a")]
    plane.put_plan(other)
    del plane.api.objects["gpupartitionclaims", "team-a", "aim-model-0"]
    await plane.step()
    assert plane.api.evictions == [("web-1", "uid-web-1")]


@pytest.mark.parametrize("error", [NotFound(404, "NotFound", "gone"), Conflict(409, "Conflict", "another pod")])
async def test_a_pod_that_has_gone_by_itself_counts_as_gone(error: Exception) -> None:
    plane = serving("web-1")
    plane.api.refuse = refusing(error)
    await plane.settle()
    assert kept(plane) == [("web-1", bdf(1), True)]
    assert plane.counting.of(SCHEDULER_EVICTIONS) == []


async def test_an_operator_that_dies_at_an_eviction_evicts_nobody_twice() -> None:
    plane = serving("web-1")
    plane.api.lost_answer = 3  # Draining, the place, the eviction
    with pytest.raises(type(NOT_ANSWERED)):
        await plane.settle()
    assert (plane.api.writes[-1], kept(plane)) == ("evict pods", [("web-1", bdf(1), False)])
    plane.restart()
    await plane.until("Applying")
    assert plane.api.evictions == [("web-1", "uid-web-1")]
    assert kept(plane) == [("web-1", bdf(1), True)]


async def test_an_eviction_that_was_not_recorded_keeps_its_place_though_the_plan_is_cancelled() -> None:
    plane = serving("web-1")
    plane.api.lost_answer = 3
    with pytest.raises(type(NOT_ANSWERED)):
        await plane.settle()
    plane.restart()
    plane.spec(rollback=True)
    await plane.settle()
    assert plane.status["phase"] == "Failed"
    assert kept(plane) == [("web-1", bdf(1), True)]


@pytest.mark.parametrize("phase", ["Draining", "Quiescing"])
async def test_an_approval_that_is_withdrawn_in_time_ends_the_plan_and_evicts_nobody(phase: str) -> None:
    plane = serving(*(["web-1"] if phase == "Draining" else []))
    plane.api.refuse = refusing(BY_BUDGET)
    plane.plugins.exporter = "waits for the end of the metrics exporter"
    await plane.until(phase)
    plane.api.refuse = lambda _: None
    plane.spec(approved=False)
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions, plane.ordered) == ("Failed", [], None)
    assert plane.status["message"] == "its approval was withdrawn; nothing was changed"


async def test_a_pod_that_may_not_be_moved_any_more_is_not_evicted() -> None:
    plane = serving("web-1", approved=False, approval="Auto", claimRef=CLAIM)
    plane.waits("big", priority=100)
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    assert kept(plane) == [("web-1", bdf(1), False)]
    plane.api.refuse = lambda _: None
    del plane.api.objects["gpupartitionclaims", "team-a", "aim-big"]
    await plane.settle()
    assert (plane.api.evictions, kept(plane)) == ([], [])
    assert "by a person's approval" in plane.status["message"]


async def test_a_place_that_was_lost_before_the_eviction_is_given_up() -> None:
    plane = serving("web-1", spare=2)
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    assert kept(plane) == [("web-1", bdf(1), False)]
    plane.api.put(GPU_NODES, gpu_node("worker-0", BEFORE, gpu(1, "SPX/NPS1", unhealthy=[0]), gpu(2, "SPX/NPS1")))
    await plane.settle()
    assert kept(plane) == [("web-1", bdf(2), False)]


async def test_a_pod_that_did_not_opt_in_is_never_evicted() -> None:
    plane = serving("web-1")
    stranger = plane.api.objects["pods", "team-a", "web-1"]
    stranger["metadata"]["annotations"] = {}
    await plane.settle()
    assert (plane.status["phase"], plane.api.evictions) == ("Draining", [])


async def test_a_pause_stops_evictions() -> None:
    plane = serving("web-1")
    plane.policy(paused=True)
    plane.put_plan(plane.stored() | {"status": {"phase": "Draining"}})
    await plane.settle()
    assert (plane.api.evictions, plane.api.writes) == ([], [STATUS_WRITE])


async def test_gpus_that_read_another_mode_end_the_plan() -> None:
    plane = Plane("Draining", gpu(0, "CPX/NPS1"), NEIGHBOUR, approved=True)
    await plane.settle()
    assert plane.status["phase"] == "Failed"
    assert "nothing was changed" in plane.status["message"]


def of_two(*, spare: int = 2) -> Plane:
    """A pod that serves from two GPUs, of which the plan changes the first."""
    plane = serving("web-1", spare=spare + 1)
    whole = [gpu(number, "SPX/NPS1") for number in (0, 1)]
    devices = [device for each in whole for device in allocation(of=each)["devices"]]
    status = {"phase": "Allocated", "allocation": allocation(of=whole[0]) | {"devices": devices}}
    plane.serves("web-1", status=status, count=2)
    return plane


async def test_a_pod_of_two_partitions_goes_once_two_places_stand_in_the_status() -> None:
    plane, seen = of_two(), []
    plane.api.refuse = lambda _: seen.append(kept(plane))
    await plane.settle()
    assert seen == [[("web-1", bdf(2), False), ("web-1", bdf(3), False)]]
    assert plane.api.evictions == [("web-1", "uid-web-1")]
    assert kept(plane) == [("web-1", bdf(2), True), ("web-1", bdf(3), True)]
    assert plane.status["after"] == [f"team-a/web-1: worker-0 {bdf(2)}/0,{bdf(3)}/0 SPX/NPS1"]


async def test_a_pod_of_two_partitions_stays_where_there_is_one_place_alone() -> None:
    plane = of_two(spare=1)
    await plane.settle()
    assert (plane.api.evictions, plane.status["reservations"]) == ([], [])
    assert "needs 2 partitions of 16.0 GiB together elsewhere" in plane.status["message"]


async def test_a_pod_of_two_partitions_that_a_budget_keeps_is_asked_once_a_look() -> None:
    plane = of_two()
    plane.api.refuse = refusing(BY_BUDGET)
    await plane.settle()
    assert [gone for *_, gone in kept(plane)] == [False, False]
    assert plane.status["message"].count("team-a/web-1") == 1
