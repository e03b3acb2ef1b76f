from datetime import timedelta
from typing import Any

import pytest

from api.v1beta1 import GPUPartitionClaim
from controller.placement.demand import GroupMember, Shared
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.reconcilers.repartition_plan.reservations import reservation
from controller.reconcilers.unhealthy.moving import (
    MOVE_AFTER_SECONDS,
    Case,
    Evict,
    Keep,
    Rules,
    Stay,
    Step,
    decide,
)
from controller.reconcilers.unhealthy.verdict import Reason, Verdict
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.translate.pod import pod_view
from tests.builders.claim import bound_claim
from tests.builders.demand import constrained
from tests.builders.gpu import GIB, bdf, full, gpu
from tests.builders.node import node
from tests.builders.pod import pod
from tests.builders.victim import victim
from tests.fakes.clock import START

NOW = START + timedelta(seconds=1000)
BROKEN = Verdict("False", Reason.UNHEALTHY, "broken")
FREE = Rules("", down=0, limit=1)


def case(name: str = "b-0", verdict: Verdict = BROKEN, *, seconds: float | None = 60.0, **fields: Any) -> Case:
    """A claim of team-b whose partition has been broken that long, None: nobody was told."""
    since = None if seconds is None else NOW - timedelta(seconds=seconds)
    claim = GPUPartitionClaim.model_validate(bound_claim(f"aim-{name}", phase="Allocated", namespace="team-b"))
    return Case(claim, verdict, since, **{"victim": victim(name)} | fields)


def decided(*cases: Case, rules: Rules = FREE, hosts: tuple[Node, ...] = ()) -> list[Step]:
    """The step of each case; worker-0 has a broken GPU, and worker-1 room unless said otherwise."""
    snapshot = Snapshot(hosts or (home(), node("worker-1", gpu(0))))
    found = decide(cases, rules, snapshot, "worker-0", NOW)
    return [found[one.key] for one in cases]


def home(*more: Gpu) -> Node:
    broken = full(0)
    return node("worker-0", broken, *more)


def test_a_place_is_kept_before_anybody_is_evicted() -> None:
    (step,) = decided(case())
    assert isinstance(step, Keep)
    assert (step.moves[0].node, step.moves[0].partition.bdf, step.moves[0].victim.pod) == ("worker-1", bdf(0), "b-0")


def test_a_pod_whose_successor_has_a_place_is_evicted() -> None:
    (step,) = decided(case())
    assert isinstance(step, Keep)
    kept = reservation(step.moves[0])
    assert decided(case(kept=kept, stands=True, behind=1), rules=Rules("", 1, 1)) == [Evict(victim("b-0"), kept)]
    (lost,) = decided(case(kept=kept, stands=False))
    assert isinstance(lost, Stay)
    assert "lost" in lost.note


def test_budget_that_others_took_meanwhile_holds_the_eviction_up() -> None:
    (step,) = decided(case())
    assert isinstance(step, Keep)
    placed = case(kept=reservation(step.moves[0]), stands=True, behind=1)
    assert isinstance(decided(placed, rules=Rules("", 1, 1))[0], Evict)
    assert isinstance(decided(placed, rules=Rules("", 2, 1))[0], Stay)


@pytest.mark.parametrize(
    "not_yet",
    [
        pytest.param(case(seconds=None), id="nobody was told"),
        pytest.param(case(seconds=MOVE_AFTER_SECONDS - 1), id="a moment ago"),
        pytest.param(case(verdict=Verdict("Unknown", Reason.STALE, "silent")), id="nobody knows"),
        pytest.param(case(verdict=Verdict("True", Reason.HEALTHY, "well")), id="healthy again"),
        pytest.param(case(victim=None), id="on its way out"),
    ],
)
def test_nobody_moves_without_a_lasting_fault(not_yet: Case) -> None:
    assert decided(not_yet) == [Stay()]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rules("it stays: no policy", 0, 1), "it stays: no policy"),
        (Rules("", 1, 1), "1 of repartition.maxUnavailablePods 1 pods are down or move"),
        (Rules("", 0, 0), "0 of repartition.maxUnavailablePods 0 pods are down or move"),
    ],
)
def test_rules_and_budget_hold(rules: Rules, words: str) -> None:
    (step,) = decided(case(), rules=rules)
    assert isinstance(step, Stay)
    assert words in step.note


def test_without_a_place_the_pod_stays() -> None:
    (step,) = decided(case(), hosts=(home(), node("worker-1", full(0))))
    assert isinstance(step, Stay)
    assert "it waits: pod team-b/b-0" in step.note
    assert "no free one takes it" in step.note
    (step,) = decided(case(victim=victim("b-0", gib=GIB)))
    assert isinstance(step, Stay)


def test_another_gpu_of_the_same_node_will_do() -> None:
    (step,) = decided(case(), hosts=(home(gpu(1)),))
    assert isinstance(step, Keep)
    assert (step.moves[0].node, step.moves[0].partition.bdf) == ("worker-0", bdf(1))


def test_a_pod_that_would_not_come_back_is_left_to_a_person() -> None:
    (step,) = decided(case(victim=victim("b-0", owner="")))
    assert isinstance(step, Stay)
    assert "delete it by hand" in step.note


def test_the_least_important_pod_goes_first_and_one_at_a_time() -> None:
    first, second = decided(
        case("b-0", victim=victim("b-0", 0, 0, priority=5)),
        case("b-1", victim=victim("b-1", 0, 1, priority=1)),
        rules=Rules("", 0, 9),
    )
    assert isinstance(second, Keep)
    assert first == Stay("it waits for its turn")


def test_a_pod_of_several_partitions_has_a_place_for_each_or_stays() -> None:
    (step,) = decided(case(victim=victim("b-0", count=3)))
    assert isinstance(step, Keep)
    assert [move.partition.index for move in step.moves] == [0, 1, 2]
    (step,) = decided(case(victim=victim("b-0", count=9)))
    assert isinstance(step, Stay)
    assert "pod team-b/b-0 needs 9 partitions of 16.0 GiB of one node, and none has so many free" in step.note


def of_group(count: int, **fields: Any) -> Case:
    """The claim of a share group of so many members that need 10 GiB each."""
    pods = [pod_view(typed(pod(f"b-{n}"), Pod)) for n in range(count)]
    shared = Shared("assistants", tuple(GroupMember(10 * GIB, pod=constrained()) for _ in pods))
    return case(victim=victim("b-0", gib=10 * count, shared=shared), members=tuple(pods), **fields)


def test_a_share_group_moves_as_a_whole_to_one_partition() -> None:
    (step,) = decided(of_group(2), rules=Rules("", 0, 2))
    assert isinstance(step, Keep)
    assert [(move.node, move.bytes) for move in step.moves] == [("worker-1", gpu().partitions[0].bytes)]
    (step,) = decided(of_group(3), rules=Rules("", 0, 3))
    assert isinstance(step, Stay)
    assert "share group assistants needs a partition of 30.0 GiB elsewhere" in step.note


@pytest.mark.parametrize(("down", "limit", "want"), [(0, 2, Keep), (1, 3, Keep), (0, 1, Stay), (1, 2, Stay)])
def test_the_budget_must_have_room_for_all_members_of_a_group(down: int, limit: int, want: type[Step]) -> None:
    (step,) = decided(of_group(2), rules=Rules("", down, limit))
    assert type(step) is want
    assert want is Keep or "all 2 pods of its share group have to go together" in getattr(step, "note", "")


def test_a_group_of_which_one_has_left_goes_on_whatever_the_budget_says() -> None:
    (step,) = decided(of_group(2), rules=Rules("", 0, 2))
    assert isinstance(step, Keep)
    kept = reservation(step.moves[0]).model_copy(update={"evicted_time": NOW})
    (step,) = decided(of_group(1, kept=kept, stands=True), rules=Rules("", 2, 2))
    assert isinstance(step, Evict)
