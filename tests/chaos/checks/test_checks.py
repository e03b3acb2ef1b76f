"""Every invariant: a history in which it holds, and planted violations that its judge must notice."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from tests.chaos.checks.every import CHECKS, violations
from tests.chaos.checks.good_history import (
    ALLOCATED,
    BDF,
    EVICTED,
    FIRST,
    HARDWARE,
    LIFE,
    OPTED_IN,
    SECOND,
    Step,
    beat,
    changed,
    claim,
    entry,
    given,
    good,
    plan,
    pod,
    report,
    traffic,
    write,
)
from tests.chaos.facts import Claim, Gpu, GpuNode, Kind, Pod, ResourceClaim
from tests.chaos.history import OPERATOR, Asked, Attempt, HardwareChange, History, Injected


def test_nothing_is_found_in_a_good_history() -> None:
    assert violations(good()) == []


@dataclass(frozen=True)
class Planted:
    """A violation that is put into a good history, and what its judge says of it. `also`: what else it violates."""

    invariant: int
    history: Callable[[], History]
    want_text: str
    also: frozenset[int] = frozenset()


def _with(*steps: Step, **more: object) -> Callable[[], History]:
    return lambda: replace(good(*steps), **more)  # type: ignore[arg-type]


OTHER = Claim("c2", "Bound", (FIRST,), pod="u5", whole=8)
SILENT_FOR_A_MINUTE = (report(50.0), beat(51.0), claim(120.0, OTHER, "team/aim-2"))
STRANGER = Pod("s1")
BEGUN_ELSEWHERE = (plan(20.0, "Pending", "p2", "b"), plan(21.0, "Draining", "p2", "b"))
SLOW_OTHER = Asked("team/other", "batch", "r5", 10.0, 40.0, "200")
WAITING = Asked("team/m", "standard", "r9", 20.0, 9.0, "200")
PASSED_BY = tuple(
    entry(at, event, f"o{number}", "u9", 9)
    for number in range(4)
    for at, event in ((21.0 + number, "begin"), (21.5 + number, "end"))
)

PLANTED = {
    "two claims on a partition": Planted(
        1,
        _with(claim(20.0, replace(ALLOCATED, uid="c3"), "team/aim-3"), claim(21.0, OTHER, "team/aim-2")),
        "held by team/aim-3 and team/aim-2 at once",
    ),
    "two ResourceClaims on a device": Planted(
        1,
        _with(given(20.0, "gpu-0", key="team/aim-3"), given(21.0, "gpu-0", key="other/theirs")),
        "held by team/aim-3 and other/theirs at once",
    ),
    "members that have more than their partition": Planted(
        1, _with(claim(20.0, replace(OTHER, shares=9), "team/aim-2")), "have 9 bytes of 8"
    ),
    "a partition that was never reported": Planted(
        2,
        _with(claim(20.0, replace(OTHER, held=(replace(FIRST, place=("a", BDF, 7)),)), "team/aim-2")),
        "did not report",
    ),
    "a mode that the GPU was not in": Planted(
        2, _with(claim(20.0, replace(OTHER, held=(replace(FIRST, mode="SPX/NPS1"),)), "team/aim-2")), "did not report"
    ),
    "a mode that was over for long": Planted(
        2,
        _with(
            report(20.0, GpuNode(((BDF, Gpu("SPX/NPS1", ((0, "gpu-0"),))),))),
            claim(40.0, OTHER, "team/aim-2"),
        ),
        "did not report",
    ),
    "a silent agent": Planted(2, _with(*SILENT_FOR_A_MINUTE), "was silent for more than 40 s"),
    "a gate on a pod that did not opt in": Planted(
        3, _with(pod(20.0, replace(STRANGER, gated=True), "team/s")), "has something of ours"
    ),
    "an annotation on a pod that did not opt in": Planted(
        3, _with(pod(20.0, replace(STRANGER, annotated=True), "team/s")), "has something of ours"
    ),
    "a write to a pod that did not opt in": Planted(
        3, _with(pod(20.0, STRANGER, "team/s"), pod(21.0, STRANGER, "team/s", OPERATOR)), "the operator writes it"
    ),
    "an eviction of a pod that did not opt in": Planted(
        3,
        _with(
            pod(20.0, STRANGER, "team/s"),
            audited=(*EVICTED, write(21.0, "create", "pods/eviction", "team/s")),
        ),
        "the operator ends it",
        also=frozenset({5}),
    ),
    "a pod that did not opt in and is refused": Planted(
        3, _with(attempts=(Attempt("team/s", 20.0, 21.0, "500 webhook does not answer"),)), "is refused"
    ),
    "a pod that did not opt in and waits": Planted(3, _with(attempts=(Attempt("team/s", 20.0, 50.0),)), "waits 30 s"),
    "a change under a holder": Planted(
        4,
        _with(
            given(20.0, "gpu-1", key="other/theirs"),
            hardware=(*HARDWARE, HardwareChange("a", "SetComputeMode", frozenset({BDF}), 21.0, 22.0)),
        ),
        "while other/theirs holds it",
    ),
    "a change under an administrator who looks": Planted(
        4,
        _with(
            (20.0, Kind.RESOURCE_CLAIM, "ops/look", ResourceClaim("w", (), (("a", "gpu-1"),)), "scheduler"),
            hardware=(*HARDWARE, HardwareChange("a", "ReloadDriver", frozenset({BDF}), 21.0, 22.0)),
        ),
        "while ops/look holds it",
    ),
    "a change that no plan tells of": Planted(
        4,
        _with(hardware=(*HARDWARE, HardwareChange("a", "SetComputeMode", frozenset({BDF}), 30.0, 31.0))),
        "no plan's status says so",
    ),
    "a plan that rises from the dead": Planted(
        4, _with(plan(20.0, "Applying")), "goes from Succeeded to Applying", also=frozenset({5})
    ),
    "two nodes at once": Planted(
        5,
        _with(*BEGUN_ELSEWHERE, plan(40.0, "Pending", "p3"), plan(41.0, "Draining", "p3")),
        "2 nodes change at once",
    ),
    "no rest between two changes": Planted(
        5, _with(plan(14.0, "Pending", "p2"), plan(15.0, "Draining", "p2")), "its cooldown is 10 s"
    ),
    "an eviction for nobody": Planted(
        5,
        _with(
            pod(20.0, replace(OPTED_IN, uid="u7"), "team/q"),
            audited=(*EVICTED, write(21.0, "create", "pods/eviction", "team/q")),
        ),
        "no place is kept",
    ),
    "more pods down than may be": Planted(
        5,
        lambda: History(
            changed(
                *LIFE,
                pod(5.5, replace(OPTED_IN, uid="u7", owner="rs2"), "team/q"),
                plan(6.0, "Pending"),
                plan(7.0, "Draining", kept=["p", "q"]),
            ),
            (*EVICTED, write(7.6, "create", "pods/eviction", "team/q")),
            ended=100.0,
        ),
        "maxUnavailablePods is 1",
    ),
    "a pod that hangs": Planted(6, _with(stuck=("pod team/p is Pending",)), "stuck: pod team/p"),
    "a claim without a pod": Planted(6, _with(left=("claim team/aim-9",)), "left behind: claim team/aim-9"),
    "more than an engine's seats": Planted(
        7,
        _with(traffic=traffic(*(entry(5.0 + n, "begin", f"x{n}", "u9", 1) for n in range(2)))),
        "u9 had 2 requests in flight, 1 may be",
    ),
    "more than a model's maximum": Planted(
        7,
        _with(traffic=traffic(entry(5.0, "begin", "x1"), entry(5.1, "begin", "x2"))),
        "team/m had 2 requests in flight, 1 may be",
    ),
    "a class that starves": Planted(7, _with(traffic=traffic(asked=[SLOW_OTHER])), "(class batch) waited 40.0 s"),
    "a minimum that is not met": Planted(
        7,
        _with(traffic=traffic(*PASSED_BY, entry(28.0, "begin", "r9"), entry(29.0, "end", "r9"), asked=[WAITING])),
        "waited for 4 completions below its minimum of 1",
    ),
    "a claim that is lost": Planted(
        8, lambda: History(changed(*LIFE, claim(20.0, None)), ended=100.0), "is gone, and its pod runs on"
    ),
    "a claim that gets another place": Planted(
        8,
        lambda: History(changed(*LIFE, beat(19.0), claim(20.0, replace(ALLOCATED, held=(SECOND,)))), ended=100.0),
        "of a pod that runs on has",
    ),
    "a running pod that the operator deletes": Planted(
        8,
        lambda: History(changed(*LIFE), (write(20.0, "delete", "pods", "team/p"),), ended=100.0),
        "runs, and the operator deletes it",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_noticed(name: str) -> None:
    planted = PLANTED[name]
    found = list(CHECKS[planted.invariant](planted.history()))
    assert [one.invariant for one in found] == [planted.invariant] * len(found)
    assert planted.want_text in " | ".join(one.text for one in found)


@pytest.mark.parametrize("name", PLANTED)
def test_nothing_else_is_found(name: str) -> None:
    planted = PLANTED[name]
    assert {one.invariant for one in violations(planted.history())} == {planted.invariant} | planted.also


def test_every_invariant_has_planted_violations() -> None:
    assert {one.invariant for one in PLANTED.values()} == set(CHECKS) == set(range(1, 9))


def stopped(begun: float, ended: float, *targets: str) -> Injected:
    return Injected("stop", frozenset(targets), begun, ended)


FORGIVEN = {
    "who was stopped acts on what he saw before": replace(
        good(*SILENT_FOR_A_MINUTE), faults=(stopped(60.0, 119.0, "operator-0"),)
    ),
    "a pod that waits for an API server that is stopped": replace(
        good(), attempts=(Attempt("team/s", 20.0, 50.0),), faults=(stopped(21.0, 45.0, "kube-apiserver"),)
    ),
    "a person deletes a claim": replace(
        History(changed(*LIFE, claim(20.0, None)), ended=100.0),
        audited=(write(20.0, "delete", "gpupartitionclaims", "team/aim-1", "person"),),
    ),
    "a claim that is rebuilt from what the scheduler gave": History(
        changed(*LIFE, claim(200.0, None), claim(201.0, ALLOCATED)),
        audited=(write(200.0, "delete", "gpupartitionclaims", "team/aim-1", "person"),),
        ended=300.0,
    ),
    "a change before anybody holds the GPU, and after": replace(
        good(given(20.0, "gpu-1", key="other/theirs")),
        hardware=HARDWARE,
    ),
    "a date that jumps makes a rest short": replace(
        good(plan(14.0, "Pending", "p2"), plan(15.0, "Draining", "p2")),
        faults=(Injected("clock", frozenset({"operator-0"}), 13.0, 20.0),),
    ),
    "what hurts a request's way may lose it": replace(
        good(), traffic=replace(traffic(asked=[SLOW_OTHER]), disturbed=((30.0, 31.0),))
    ),
}


@pytest.mark.parametrize("name", FORGIVEN)
def test_what_a_fault_or_a_person_explains_is_no_violation(name: str) -> None:
    assert [str(one) for one in violations(FORGIVEN[name])] == []
