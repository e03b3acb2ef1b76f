"""A claim of high priority on a node that two pods of low priority hold: who leaves, and what is kept meanwhile."""

from typing import Any

import pytest

from api.object import dump
from controller.placement.snapshot import Gpu
from controller.reconcilers.gpu_partition_claim.nominating import MOST_A_CYCLE
from controller.reconcilers.gpu_partition_claim.preempting import KEPT_SECONDS
from controller.reconcilers.gpu_partition_claim.refusals import SPARED_SECONDS
from controller.runtime.client.core import NODES, PODS
from controller.runtime.client.errors import ApiError, Conflict, Forbidden, TooManyRequests, Unavailable
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, REPARTITION_PLANS
from controller.telemetry.instruments import SCHEDULER_EVICTIONS
from tests.builders.claim import allocation, claim
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.inference_service import inference_service
from tests.builders.node import node_object
from tests.builders.plan import reservation
from tests.builders.pod import GATE, pod
from tests.builders.policy import policy_object
from tests.controller.reconcilers.gpu_partition_claim.api import NOT_ANSWERED, InMemoryApi, refusing
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

DPX = gpu(0, "DPX/NPS1")
OWNED = {"ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "uid-r", "controller": True}]}
BUDGET = TooManyRequests(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")


def urgent(priority: int = 1000, **fields: Any) -> dict[str, Any]:
    return pod(annotations=SMALL, priority=priority, **fields)


def held(
    api: InMemoryApi,
    index: int,
    priority: int = 0,
    *,
    namespace: str = "team-b",
    of: Gpu = DPX,
    name: str = "",
) -> None:
    """A pod that serves from partition `index`."""
    name = name or f"b-{index}"
    given = {"phase": "Allocated", "allocation": allocation("worker-0", 0, index, of=of)}
    stored = claim(f"aim-{name}", namespace=namespace, pod=name, status=given)
    api.put(GPU_PARTITION_CLAIMS, stored)
    served = pod(
        name,
        namespace=namespace,
        claim=f"aim-{name}",
        gates=(),
        node="worker-0",
        phase="Running",
        metadata={"namespace": namespace} | OWNED,
        priority=priority,
    )
    api.put(PODS, served)


@pytest.fixture
def api() -> InMemoryApi:
    """A node of two partitions, both held, and a pod of higher priority."""
    stored = InMemoryApi()
    stored.put(NODES, node_object())
    stored.put(GPU_NODES, gpu_node("worker-0", DPX))
    held(stored, 0, 5)
    held(stored, 1, 1)
    stored.put(PODS, urgent())
    return stored


def status(api: InMemoryApi, name: str = "aim-a", namespace: str = "team-a") -> dict[str, Any]:
    found: dict[str, Any] = api.objects["gpupartitionclaims", namespace, name]["status"]
    return found


def leaving(api: InMemoryApi) -> list[str]:
    return [one["metadata"]["name"] for one in api.of(PODS) if "deletionTimestamp" in one["metadata"]]


def gone(api: InMemoryApi, index: int) -> None:
    del api.objects["pods", "team-b", f"b-{index}"]
    del api.objects["gpupartitionclaims", "team-b", f"aim-b-{index}"]


async def test_the_place_is_kept_first_and_then_the_least_important_pod_is_evicted(
    api: InMemoryApi, operator: Operator
) -> None:
    await operator.round()
    kept = status(api)["nomination"]
    assert (kept["node"], kept["devices"]) == ("worker-0", [{"bdf": DPX.bdf, "partition": 1}])
    assert (kept["reason"], kept["victims"], leaving(api)) == ("Preemption", ["uid-b-1"], [])
    await operator.round()
    assert leaving(api) == ["b-1"]
    assert status(api, "aim-b-0", "team-b")["phase"] == "Allocated"
    assert operator.counting.of(SCHEDULER_EVICTIONS) == [("Preemption",)]


@pytest.mark.parametrize(("kept_for", "want"), [("uid-new", False), ("uid-other", True)])
async def test_nobody_leaves_for_a_pod_to_which_an_older_one_hands_its_partition_over(
    api: InMemoryApi, operator: Operator, kept_for: str, want: bool
) -> None:
    host = gpu_node("worker-0", DPX)
    host["spec"]["reservations"] = [reservation(DPX.bdf, 0, owner=kept_for, claim="aim-b-0", namespace="team-b")]
    api.put(GPU_NODES, host)
    owner = {"kind": "ReplicaSet", "name": "new", "uid": "uid-new", "controller": True}
    api.put(PODS, urgent(metadata={"ownerReferences": [owner]}))
    await operator.round()
    assert ("nomination" in status(api)) is want


async def test_once_it_is_free_the_claim_gets_it_and_nothing_is_kept_any_more(
    api: InMemoryApi, operator: Operator
) -> None:
    await operator.round()
    await operator.round()
    gone(api, 1)
    await operator.round()
    assert status(api)["phase"] == "Bound"
    assert status(api)["allocation"]["devices"][0]["partition"] == 1
    assert "nomination" not in status(api)


async def test_nobody_else_gets_the_place_that_is_kept(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    await operator.round()
    api.put(PODS, pod("late", claim="aim-late", annotations=SMALL, priority=999))
    gone(api, 1)
    await operator.round("team-a/aim-late", "team-a/aim-a")
    assert status(api)["phase"] == "Bound"
    assert status(api, "aim-late")["phase"] == "Pending"


async def test_an_operator_that_starts_anew_goes_on_with_the_same_victim(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await operator.round()
    second = Operator(api, clock)
    second.show()
    await second.round()
    await second.round()
    assert leaving(api) == ["b-1"]


async def test_a_claim_of_still_higher_priority_takes_the_place_over(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    await operator.round()
    api.put(PODS, pod("boss", claim="aim-boss", annotations=SMALL, priority=5000))
    gone(api, 1)
    await operator.round("team-a/aim-boss", "team-a/aim-a")
    assert status(api, "aim-boss")["phase"] == "Bound"
    await operator.round()
    assert status(api)["nomination"]["victims"] == ["uid-b-0"]


@pytest.mark.parametrize(
    "pause",
    [
        pytest.param(lambda api: api.put(GPU_NODES, gpu_node("worker-0", DPX, paused=True)), id="paused node"),
        pytest.param(lambda api: api.put(GPU_SHARING_POLICIES, policy_object(paused=True)), id="paused policy"),
        pytest.param(
            lambda api: api.put(GPU_SHARING_POLICIES, policy_object(repartition={"maxUnavailablePods": 0})),
            id="a budget of none",
        ),
    ],
)
async def test_nobody_is_evicted_while_that_is_stopped(api: InMemoryApi, operator: Operator, pause: Any) -> None:
    await operator.round()
    pause(api)
    await operator.round()
    await operator.round()
    assert leaving(api) == []


async def test_the_victim_is_told_why_and_not_for_whom(
    api: InMemoryApi, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[tuple[str, str]] = []
    monkeypatch.setattr(
        operator.context.recorder, "record", lambda _, __, reason, note, ___: notes.append((reason, note))
    )
    await operator.round()
    await operator.round()
    (note,) = {note for reason, note in notes if reason == "Preempted"}
    assert note == "evicted: a claim of priority 1000 takes its partition, its own is 1"
    assert not any("team-b" in note or "b-1" in note for reason, note in notes if reason == "Nominated")


async def test_where_a_disruption_budget_refuses_another_pod_is_asked(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    api.before_write = refusing("evict pods", BUDGET)
    await operator.round()
    assert status(api)["nomination"]["victims"] == ["uid-b-0"]
    await operator.round()
    assert leaving(api) == ["b-0"]


async def test_an_eviction_that_is_refused_is_none(api: InMemoryApi, operator: Operator) -> None:
    api.before_write = refusing("evict pods", BUDGET, times=9)
    for _ in range(3):
        await operator.round()
    assert ("preempt", "refused") in operator.counted
    assert operator.counting.of(SCHEDULER_EVICTIONS) == []


async def test_where_all_budgets_refuse_it_is_tried_again_after_a_while_and_not_at_once(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    asked: list[str] = []

    def refuse(verb: str) -> None:
        if verb == "evict pods":
            asked.append(verb)
            raise BUDGET

    api.before_write = refuse
    for _ in range(8):
        await operator.round()
    assert len(asked) == 2
    assert "disruption budget refused" in status(api)["explanation"]
    clock.tick(2 * SPARED_SECONDS)
    for _ in range(3):
        await operator.round()
    assert len(asked) > 2


async def test_a_pod_that_was_made_anew_under_the_name_is_not_evicted(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    api.before_write = refusing("evict pods", Conflict(409, "Conflict", "the uid is another"), times=9)
    await operator.round()
    assert leaving(api) == []
    assert operator.counting.of(SCHEDULER_EVICTIONS) == []


async def test_a_place_that_nobody_leaves_is_given_up_in_the_end(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    await operator.round()
    await operator.round()
    clock.tick(KEPT_SECONDS + 1)
    operator.show()
    await operator.reconcile()
    assert "nomination" not in status(api)
    assert ("Warning", "NominationEnded") in operator.told


async def test_a_preemptor_that_is_gone_disturbs_nobody(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    api.put(PODS, urgent(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
    await operator.round()
    assert leaving(api) == ["model-0"]


async def test_when_the_claim_has_a_place_elsewhere_nobody_leaves(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    api.put(NODES, node_object("worker-1"))
    api.put(GPU_NODES, gpu_node("worker-1", gpu(0, "DPX/NPS1")))
    await operator.round()
    await operator.round()
    assert leaving(api) == []
    assert status(api)["allocation"]["node"] == "worker-1"


async def test_a_failed_write_keeps_nothing_and_evicts_nobody(api: InMemoryApi, operator: Operator) -> None:
    await operator.round()
    del api.objects["gpupartitionclaims", "team-a", "aim-a"]
    operator.cycle.withdraw("team-a/aim-a")
    api.before_write = refusing("replace gpupartitionclaims", Conflict(409, "Conflict", "moved on"))
    await operator.round()
    assert len(operator.cluster.nominations) == 0
    assert leaving(api) == []


async def test_of_two_victims_one_leaves_at_a_time(api: InMemoryApi, clock: FakeClock) -> None:
    held(api, 0, 1)
    held(api, 1, 1)
    annotations = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-4B"}
    api.put(PODS, pod(annotations=annotations, priority=1000, metadata={"labels": {}}))
    operator = Operator(api, clock)
    await operator.round()
    stored = api.objects["gpupartitionclaims", "team-a", "aim-a"]
    both = {**stored["status"]["nomination"], "victims": ["uid-b-0", "uid-b-1"]}
    both["devices"] = [{"bdf": DPX.bdf, "partition": index} for index in (0, 1)]
    api.put(GPU_PARTITION_CLAIMS, {**stored, "status": {**stored["status"], "nomination": both}})
    await operator.round()
    assert leaving(api) == ["b-0"]
    await operator.round()
    assert leaving(api) == ["b-0"]
    gone(api, 0)


async def test_two_claims_that_are_looked_at_together_do_not_exceed_the_budget(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(PODS, urgent(name="second", claim="aim-second"))
    await operator.round("team-a/aim-a", "team-a/aim-second")
    assert len({victim for each in operator.cluster.nominations for victim in each.victims}) == 2
    operator.show()
    await operator.reconcile("team-a/aim-a")
    await operator.reconcile("team-a/aim-second")
    assert len(leaving(api)) == 1


async def test_a_pod_whose_evictions_answer_was_lost_counts_before_a_watch_shows_that_it_goes(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(PODS, urgent(name="second", claim="aim-second"))
    await operator.round("team-a/aim-a", "team-a/aim-second")
    operator.show()
    api.lost_answer = len(api.writes) + 1
    with pytest.raises(Unavailable):
        await operator.reconcile("team-a/aim-a")
    await operator.reconcile("team-a/aim-second")
    assert len(leaving(api)) == 1


@pytest.mark.parametrize(
    "error", [NOT_ANSWERED, Forbidden(403, "Forbidden", "no"), BUDGET], ids=lambda error: error.reason
)
async def test_a_pod_that_was_not_evicted_after_all_is_asked_again_and_nobody_waits_for_it(
    api: InMemoryApi, operator: Operator, clock: FakeClock, error: ApiError
) -> None:
    await operator.round()
    api.before_write = refusing("evict pods", error)
    await operator.round()
    assert leaving(api) == []
    clock.tick(2 * SPARED_SECONDS)
    for _ in range(3):
        await operator.round()
    assert len(leaving(api)) == 1


async def test_who_was_evicted_counts_though_the_claim_it_leaves_for_is_gone(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(PODS, urgent(name="second", claim="aim-second"))
    await operator.round("team-a/aim-a", "team-a/aim-second")
    operator.show()
    await operator.reconcile("team-a/aim-a")
    for plural, name in (("pods", "model-0"), ("gpupartitionclaims", "aim-a")):
        del api.objects[plural, "team-a", name]
    operator.show()
    await operator.reconcile("team-a/aim-second")
    assert len(leaving(api)) == 1


async def test_borrowed_memory_is_taken_back_from_a_pod_of_higher_priority(
    api: InMemoryApi, operator: Operator
) -> None:
    api.put(PODS, urgent(0))
    api.put(GPU_SHARING_POLICIES, policy_object(quotas=[{"namespace": "team-a", "min": "96Gi"}]))
    await operator.round()
    assert status(api)["nomination"]["victims"] == ["uid-b-1"]
    await operator.round()
    assert leaving(api) == ["b-1"]


async def test_above_its_max_a_claim_waits_and_says_so(api: InMemoryApi, operator: Operator) -> None:
    api.put(PODS, urgent(0))
    api.put(GPU_SHARING_POLICIES, policy_object(quotas=[{"namespace": "team-a", "max": "95Gi"}]))
    gone(api, 1)
    await operator.round()
    condition = next(one for one in status(api)["conditions"] if one["type"] == "Bound")
    assert condition["reason"] == "QuotaExceeded"
    assert "uses 0.0 GiB of max 95.0 GiB" in status(api)["explanation"]


async def test_while_somebody_elses_gate_is_on_the_pod_nothing_is_kept_for_it(
    api: InMemoryApi, operator: Operator
) -> None:
    await operator.round()
    api.put(PODS, urgent(gates=("kueue.x-k8s.io/admission", GATE)))
    await operator.round()
    await operator.round()
    assert "nomination" not in status(api)
    assert leaving(api) == []


@pytest.mark.parametrize("last", range(1, 7))
async def test_wherever_the_operator_dies_one_pod_leaves_and_the_claim_is_bound(
    api: InMemoryApi, clock: FakeClock, last: int
) -> None:
    first = Operator(api, clock)
    left = [last]

    def dies(_: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Unavailable(503, "Unavailable", "nobody answers")

    api.before_write = dies
    await first.round()
    await first.round()
    api.before_write = lambda _: None
    second = Operator(api, clock)
    for _ in range(4):
        await second.round()
    (victim,) = leaving(api)
    gone(api, int(victim[-1]))
    await second.round()
    await second.round()
    assert status(api)["phase"] == "Bound"
    assert leaving(api) == []


async def test_of_many_urgent_claims_a_few_are_kept_places_for_in_one_cycle_and_the_others_in_the_next(
    clock: FakeClock,
) -> None:
    api = InMemoryApi()
    whole = [gpu(0), gpu(1)]
    api.put(NODES, node_object())
    api.put(GPU_NODES, gpu_node("worker-0", *whole))
    for number, card in enumerate(whole):
        for index in range(8):
            held(api, index, of=card, name=f"b-{number}-{index}")
    count = MOST_A_CYCLE + 2
    for number in range(count):
        api.put(PODS, urgent(name=f"u-{number}", claim=f"aim-u{number}"))
    operator = Operator(api, clock)
    await operator.round(*(f"team-a/aim-u{number}" for number in range(count)))
    assert len(operator.cluster.nominations) == MOST_A_CYCLE
    operator.show()
    operator.cycle.decide(retry=True)
    assert len(operator.cluster.nominations) == count
    assert len({each.partitions for each in operator.cluster.nominations}) == count


def pair(**metadata: Any) -> dict[str, Any]:
    labels = {"labels": {"aim.amd.com/inference-service": "chat"}}
    return pod(annotations=SMALL, metadata={"creationTimestamp": "2025-12-31T22:00:00Z"} | labels | metadata)


async def test_a_claim_of_two_partitions_that_waits_long_has_its_place_kept_and_nobody_is_evicted(
    api: InMemoryApi, operator: Operator
) -> None:
    service = dump(inference_service(gpuSharing={"partition": {"count": 2}}))
    operator.fed.put(operator.cluster.services, service)
    api.put(PODS, pair())
    await operator.round()
    kept = status(api)["nomination"]
    assert (kept["reason"], kept.get("victims", []), len(kept["devices"])) == ("Reservation", [], 2)
    gone(api, 1)
    api.put(PODS, pod("late", claim="aim-late", annotations=SMALL))
    await operator.round("team-a/aim-late", "team-a/aim-a")
    assert status(api, "aim-late")["phase"] == "Pending"
    assert "It has waited long" in status(api)["explanation"]
    gone(api, 0)
    await operator.round("team-a/aim-late", "team-a/aim-a")
    assert status(api)["phase"] == "Bound"
    assert leaving(api) == []


async def test_a_claim_that_came_just_now_has_nothing_kept(
    api: InMemoryApi, operator: Operator, clock: FakeClock
) -> None:
    service = dump(inference_service(gpuSharing={"partition": {"count": 2}}))
    operator.fed.put(operator.cluster.services, service)
    api.put(PODS, pair(creationTimestamp=clock.now().isoformat()))
    await operator.round()
    assert "nomination" not in status(api)


async def test_for_a_claim_that_needs_another_mode_a_gpu_is_kept_until_it_is_idle_and_then_changed(
    clock: FakeClock,
) -> None:
    api, whole = InMemoryApi(), gpu(0, "CPX/NPS1")
    api.put(NODES, node_object())
    api.put(GPU_NODES, gpu_node("worker-0", whole))
    rules = {"enabled": True, "approval": "Auto"}
    api.put(GPU_SHARING_POLICIES, policy_object(validatedOnly=False, repartition=rules))
    held(api, 0, of=whole)
    big = SMALL | {"aim.amd.com/model-id": "Qwen/Qwen3-32B", "aim.amd.com/precision": "fp8"}
    api.put(PODS, pod(annotations=big, metadata={"creationTimestamp": "2025-12-31T22:00:00Z"}))
    operator = Operator(api, clock)
    await operator.round()
    kept = status(api)["nomination"]
    assert (kept["reason"], len(kept["devices"])) == ("Reservation", 8)
    api.put(PODS, pod("late", claim="aim-late", annotations=SMALL))
    await operator.round("team-a/aim-late", "team-a/aim-a")
    assert status(api, "aim-late")["phase"] == "Pending"
    assert api.of(REPARTITION_PLANS) == []
    gone(api, 0)
    await operator.round("team-a/aim-a")
    (plan,) = api.of(REPARTITION_PLANS)
    assert plan["spec"]["claimRef"]["name"] == "aim-a"
