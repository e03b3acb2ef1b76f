"""How sharp the judges are: what goes just beyond a bound is found, and what keeps just within it is not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checks.every import CHECKS, violations
from tests.chaos.checks.good_history import (
    ALLOCATED,
    BDF,
    CHANGE,
    EVICTED,
    FIRST,
    HARDWARE,
    LIFE,
    NODE,
    OPTED_IN,
    SECOND,
    Step,
    changed,
    claim,
    entry,
    given,
    good,
    plan,
    pod,
    traffic,
    write,
)
from tests.chaos.facts import Claim, Kind, Plan, Pod, ReplicaSet
from tests.chaos.history import OPERATOR, Asked, Attempt, Audited, HardwareChange, History, Limits

PERSON = "admin"
STRANGER = Pod("s1")


def in_order(*steps: Step, **more: object) -> History:
    """A history of these steps, by their times."""
    made = changed(*sorted(steps, key=lambda step: step[0]))
    return History(made, **{"ended": 100.0, "audited": EVICTED} | more)  # type: ignore[arg-type]


def neighbours(*names: str) -> tuple[Step, ...]:
    """More pods of ours that run, each of a controller of its own."""
    return tuple(
        pod(5.5 + number / 100, replace(OPTED_IN, uid=f"u-{name}", owner=f"rs-{name}"), f"team/{name}")
        for number, name in enumerate(names)
    )


def evicted(*pods: tuple[float, str], limit: int = 1, more: tuple[Step, ...] = ()) -> History:
    """A plan that keeps places for four pods' successors, and evictions of those."""
    steps = (*LIFE, *neighbours("q", "r", "s"), plan(6.0, "Pending"), plan(7.0, "Draining", kept=["p", "q", "r", "s"]))
    asked = tuple(write(at, "create", "pods/eviction", f"team/{name}") for at, name in pods)
    return in_order(*steps, *more, audited=asked, limits=Limits(unavailable_pods=limit))


def left_for_a_node(at: float, kept: tuple[str, ...] = ("q",)) -> Step:
    """A place is kept on a node for a pod that leaves a broken partition."""
    return at, Kind.GPU_NODE, "a", replace(NODE, kept=kept), OPERATOR


def replaced(at: float, name: str, new: str) -> tuple[Step, ...]:
    """A pod has gone, and its successor runs."""
    gone = replace(OPTED_IN, uid=f"u-{name}", owner=f"rs-{name}", deleting=True)
    successor = replace(gone, uid=f"u-{new}", deleting=False)
    key = f"team/{name}"
    return pod(at, gone, key), pod(at + 0.1, None, key), pod(at + 0.2, successor, f"team/{new}")


def waits(at: float, name: str, new: str) -> Step:
    """A pod's successor is there, and does not run yet."""
    return pod(at, replace(OPTED_IN, uid=f"u-{new}", owner=f"rs-{name}", phase="Pending"), f"team/{new}")


def sibling(at: float, name: str, phase: str) -> Step:
    """Another pod of its controller's."""
    return pod(at, replace(OPTED_IN, uid=f"u-{name}-too", owner=f"rs-{name}", phase=phase), f"team/{name}-too")


def wanted(name: str, pods: int = 1) -> Step:
    """Its controller wants so many pods."""
    return 5.4, Kind.REPLICA_SET, f"team/rs-{name}", ReplicaSet(f"rs-{name}", pods), PERSON


def asks(request: str, at: float, seconds: float, ended: str = "200", service: str = "team/m") -> Asked:
    return Asked(service, "standard", request, at, seconds, ended)


def passed_by(count: int) -> History:
    """A request of a service below its minimum of 1 begins once so many others of its partition have ended."""
    ends = [
        entry(at, event, f"o{number}", "u9", 9)
        for number in range(count)
        for at, event in ((21.0 + number, "begin"), (21.5 + number, "end"))
    ]
    own = entry(28.0, "begin", "r9"), entry(29.0, "end", "r9")
    return replace(good(), traffic=traffic(*ends, *own, asked=[asks("r9", 20.0, 9.0)]))


def held_from(at: float) -> History:
    """Another is given a device of the GPU whose mode changes from 11.0 to 11.5."""
    return in_order(*LIFE, *CHANGE, given(at, "gpu-1", key="other/theirs"), hardware=HARDWARE)


def changes_at(at: float, *steps: Step) -> History:
    return in_order(
        *LIFE, *CHANGE, *steps, hardware=(HardwareChange("a", "SetComputeMode", frozenset({BDF}), at, at + 0.1),)
    )


def deleted(*steps: Step, by: tuple[Audited, ...]) -> History:
    return in_order(*LIFE, *steps, audited=by)


def deletes(at: float, who: str, *, code: int = 200) -> Audited:
    return replace(write(at, "delete", "gpupartitionclaims", "team/aim-1", who), code=code)


ANEW = replace(ALLOCATED, uid="c9")
DRAINING_TOO = (plan(6.5, "Pending", "p2", "a"), plan(7.5, "Draining", "p2", "a"))
ELSEWHERE = (plan(6.5, "Pending", "p2", "b"), plan(14.0, "Draining", "p2", "b"))
MEMBER = Pod("u-m", opted_in=True, claim="aim-g", node="a", phase="Running")
SHARED = Claim("c-g", "Allocated", (SECOND,), shares=4, whole=8)
GROUP = (pod(5.2, MEMBER, "team/m"), claim(5.3, SHARED, "team/aim-g"))
VICTIM = (
    claim(5.6, Claim("c7", victims=("u-q",)), "team/aim-7"),
    pod(7.2, replace(OPTED_IN, uid="u-q", owner="rs-q", deleting=True), "team/q"),
)

FOUND: dict[str, tuple[int, Callable[[], History], str]] = {
    "two plans on one node at once": (
        5,
        lambda: in_order(*LIFE, *CHANGE, *DRAINING_TOO),
        "two plans change a at once: ['p1']",
    ),
    "two plans on one node, though two nodes may change": (
        5,
        lambda: in_order(*LIFE, *CHANGE, *DRAINING_TOO, limits=Limits(parallel_nodes=2)),
        "two plans change a at once: ['p1']",
    ),
    "one pod more than a budget of two": (
        5,
        lambda: evicted((7.3, "p"), (7.4, "q"), (7.5, "r"), limit=2),
        "pod team/r is evicted while ['team/p', 'team/q'] are down, maxUnavailablePods is 2",
    ),
    "a pod for a plan while one is down that left a broken partition": (
        5,
        lambda: in_order(
            *LIFE,
            *neighbours("q"),
            left_for_a_node(6.0),
            plan(6.5, "Pending"),
            plan(7.0, "Draining", kept=["p"]),
            audited=(write(6.9, "create", "pods/eviction", "team/q"), *EVICTED),
        ),
        "pod team/p is evicted while ['team/q'] are down",
    ),
    "a second pod while the first one's successor does not run": (
        5,
        lambda: evicted(
            (7.3, "q"), (8.0, "r"), more=(*replaced(7.4, "q", "q2")[:2], waits(7.6, "q", "q2"), wanted("q"))
        ),
        "pod team/r is evicted while ['team/q'] are down",
    ),
    "a second pod though the first one's controller is gone, before that one ends": (
        5,
        lambda: evicted((7.3, "q"), (8.0, "r"), more=(sibling(7.4, "s", "Running"),)),
        "pod team/r is evicted while ['team/q'] are down",
    ),
    "a second pod while only another pod of the first one's controller runs, which wants two": (
        5,
        lambda: evicted(
            (7.3, "q"),
            (8.0, "r"),
            more=(*replaced(7.4, "q", "q2")[:2], waits(7.6, "q", "q2"), sibling(7.2, "q", "Running"), wanted("q", 2)),
        ),
        "pod team/r is evicted while ['team/q'] are down",
    ),
    "a second pod while a pod of the first one's controller does not run that came after the eviction": (
        5,
        lambda: evicted(
            (7.3, "q"), (8.0, "r"), more=(*replaced(7.4, "q", "q2"), sibling(7.5, "q", "Pending"), wanted("q", 2))
        ),
        "pod team/r is evicted while ['team/q'] are down",
    ),
    "a pod for a plan while no successor runs of one that left a broken partition": (
        5,
        lambda: in_order(
            *LIFE,
            *neighbours("q"),
            wanted("q"),
            left_for_a_node(6.0),
            plan(6.5, "Pending"),
            plan(7.0, "Draining", kept=["p"]),
            *replaced(7.1, "q", "q2")[:2],
            audited=(write(6.9, "create", "pods/eviction", "team/q"), *EVICTED),
        ),
        "pod team/p is evicted while ['team/q'] are down",
    ),
    "a pod for a plan while one leaves for another claim": (
        5,
        lambda: in_order(
            *LIFE,
            *neighbours("q"),
            *VICTIM,
            plan(6.5, "Pending"),
            plan(7.0, "Draining", kept=["p"]),
            audited=(write(7.1, "create", "pods/eviction", "team/q"), *EVICTED),
        ),
        "pod team/p is evicted while ['team/q'] are down",
    ),
    "a pod whose place a plan gave up long ago": (
        5,
        lambda: in_order(
            *LIFE,
            plan(6.0, "Pending"),
            plan(7.0, "Draining", kept=["p"]),
            plan(8.0, "Draining"),
            audited=(write(14.0, "create", "pods/eviction", "team/p"),),
        ),
        "no place is kept for its successor",
    ),
    "a pod that did not opt in and waits 11 s": (
        3,
        lambda: replace(good(), attempts=(Attempt("team/s", 20.0, 31.0),)),
        "waits 11 s",
    ),
    "a plain delete by the operator of a pod that did not opt in": (
        3,
        lambda: in_order(*LIFE, pod(20.0, STRANGER, "team/s"), audited=(write(21.0, "delete", "pods", "team/s"),)),
        "pod team/s did not opt in, and the operator ends it",
    ),
    "a delete by the operator of all pods of a namespace": (
        3,
        lambda: in_order(
            *LIFE, pod(20.0, STRANGER, "team/s"), audited=(write(21.0, "deletecollection", "pods", "team/"),)
        ),
        "did not opt in, and the operator ends it",
    ),
    "a holder that comes while a mode changes": (4, lambda: held_from(11.3), "while other/theirs holds it"),
    "a change after its plan is over": (4, lambda: changes_at(13.5), "no plan's status says so"),
    "a change before its plan says so": (4, lambda: changes_at(9.5), "no plan's status says so"),
    "a change that only another node's plan tells of": (
        4,
        lambda: in_order(
            *LIFE,
            (9.9, Kind.PLAN, "p9", Plan("u9", "b", "Applying", gpus=frozenset({BDF})), OPERATOR),
            hardware=HARDWARE,
        ),
        "no plan's status says so",
    ),
    "a change of a GPU that the node's plan does not name": (
        4,
        lambda: in_order(
            *LIFE, *CHANGE, hardware=(HardwareChange("a", "SetComputeMode", frozenset({"0000:06:00.0"}), 11.0, 11.5),)
        ),
        "no plan's status says so",
    ),
    "a change whose plan was deleted while it applied": (
        4,
        lambda: in_order(*LIFE, *CHANGE[:9], (10.5, Kind.PLAN, "p1", None, PERSON), hardware=HARDWARE),
        "no plan's status says so",
    ),
    "one completion more than a minimum passes by": (
        7,
        lambda: passed_by(2),
        "waited for 2 completions below its minimum of 1",
    ),
    "a request that fails at once in calm times": (
        7,
        lambda: replace(good(), traffic=traffic(asked=[asks("r5", 20.0, 0.1, "Saturated")])),
        "r5 of team/m (class standard) waited 0.1 s, and ended with Saturated",
    ),
    "an answer after 31 s": (
        7,
        lambda: replace(good(), traffic=traffic(asked=[asks("r5", 20.0, 31.0)])),
        "r5 of team/m (class standard) waited 31.0 s",
    ),
    "requests that no engine ever had": (
        7,
        lambda: replace(good(), traffic=replace(traffic(asked=[asks("r5", 20.0, 0.1, "Status503")]), entries=())),
        "ended with Status503",
    ),
    "a claim that the operator itself deletes": (
        8,
        lambda: deleted(claim(20.0, None), by=(deletes(20.0, OPERATOR),)),
        "is gone, and its pod runs on",
    ),
    "a claim that the garbage collector deletes under its pod": (
        8,
        lambda: deleted(
            claim(20.0, None), by=(deletes(20.0, "system:serviceaccount:kube-system:generic-garbage-collector"),)
        ),
        "is gone, and its pod runs on",
    ),
    "a claim that is lost after a person's deletion was refused": (
        8,
        lambda: deleted(claim(20.0, None), by=(deletes(19.0, PERSON, code=422),)),
        "is gone, and its pod runs on",
    ),
    "a claim that is lost before a person deletes one of its name": (
        8,
        lambda: deleted(claim(20.0, None), by=(deletes(21.0, PERSON),)),
        "is gone, and its pod runs on",
    ),
    "a claim that is lost long after a person deleted the one before": (
        8,
        lambda: deleted(claim(20.0, None), claim(21.0, ANEW), claim(50.0, None), by=(deletes(20.0, PERSON),)),
        "is gone, and its pod runs on",
    ),
    "a share group's claim that gets another place while a member runs": (
        8,
        lambda: in_order(*LIFE, *GROUP, claim(20.0, replace(SHARED, held=(FIRST,)), "team/aim-g")),
        "claim team/aim-g of a pod that runs on has",
    ),
    "a share group's claim that goes while a member runs": (
        8,
        lambda: in_order(*LIFE, *GROUP, claim(20.0, None, "team/aim-g")),
        "claim team/aim-g is gone, and its pod runs on",
    ),
    "a claim that is built anew elsewhere after a person deleted it": (
        8,
        lambda: deleted(claim(20.0, None), claim(21.0, replace(ANEW, held=(SECOND,))), by=(deletes(20.0, PERSON),)),
        "of a pod that runs on has",
    ),
}

INNOCENT: dict[str, Callable[[], History]] = {
    "another node's plan after the first is over": lambda: in_order(*LIFE, *CHANGE, *ELSEWHERE, hardware=HARDWARE),
    "two nodes at once where two may": lambda: in_order(
        *LIFE,
        *CHANGE,
        plan(6.5, "Pending", "p2", "b"),
        plan(7.5, "Draining", "p2", "b"),
        hardware=HARDWARE,
        limits=Limits(parallel_nodes=2),
    ),
    "two pods of a budget of two": lambda: evicted((7.3, "p"), (7.4, "q"), limit=2),
    "a second pod once the first one's successor runs": lambda: evicted(
        (7.3, "q"), (8.0, "r"), more=(*replaced(7.4, "q", "q2"), wanted("q"))
    ),
    "a second pod while the first one ends, whose controller is gone": lambda: evicted(
        (7.3, "q"), (8.0, "r"), more=replaced(7.4, "q", "q2")[:1]
    ),
    "a second pod while a pod of the first one's controller does not run that was there before": lambda: evicted(
        (7.3, "q"), (8.0, "r"), more=(*replaced(7.4, "q", "q2"), sibling(5.6, "q", "Pending"), wanted("q", 2))
    ),
    "a pod for a plan once another that made room is gone": lambda: in_order(
        *LIFE,
        *neighbours("q"),
        *VICTIM,
        pod(7.3, None, "team/q"),
        plan(6.5, "Pending"),
        plan(7.0, "Draining", kept=["p"]),
        audited=(write(7.1, "create", "pods/eviction", "team/q"), *EVICTED),
    ),
    "a pod whose place was given up at that moment": lambda: in_order(
        *LIFE,
        plan(6.0, "Pending"),
        plan(7.0, "Draining", kept=["p"]),
        plan(7.3, "Draining"),
    ),
    "a pod that did not opt in and waits 9 s": lambda: replace(good(), attempts=(Attempt("team/s", 20.0, 29.0),)),
    "a plain delete by a person of a pod that did not opt in": lambda: in_order(
        *LIFE, pod(20.0, STRANGER, "team/s"), audited=(write(21.0, "delete", "pods", "team/s", PERSON),)
    ),
    "a holder that comes after a mode changed": lambda: held_from(11.6),
    "a change as soon as its plan says so": lambda: changes_at(10.01),
    "a reload of all GPUs for a plan that names one": lambda: in_order(
        *LIFE,
        *CHANGE,
        hardware=(HardwareChange("a", "ReloadDriver", frozenset({BDF, "0000:06:00.0"}), 11.0, 11.5),),
    ),
    "as many completions as a minimum pass by": lambda: passed_by(1),
    "an answer within the time": lambda: replace(good(), traffic=traffic(asked=[asks("r5", 20.0, 29.0)])),
    "a request that fails while its way is disturbed": lambda: replace(
        good(),
        traffic=replace(traffic(asked=[asks("r5", 20.0, 0.1, "Saturated")]), disturbed=((19.0, 21.0),)),
    ),
    "a claim that is built anew where it was after a person deleted it": lambda: deleted(
        claim(20.0, None), claim(21.0, replace(ANEW, phase="Bound")), claim(22.0, ANEW), by=(deletes(20.0, PERSON),)
    ),
    "a share group's claim that goes once its last member has ended": lambda: in_order(
        *LIFE,
        *GROUP,
        pod(19.0, replace(MEMBER, phase="Succeeded"), "team/m"),
        claim(20.0, None, "team/aim-g"),
        audited=(),
    ),
    "a pod on its way out that the operator deletes": lambda: in_order(
        *LIFE, pod(20.0, replace(OPTED_IN, deleting=True)), audited=(write(21.0, "delete", "pods", "team/p"),)
    ),
    "a claim that a person asked to delete, and that goes later": lambda: deleted(
        claim(20.0, replace(ALLOCATED, deleting=True, held=())), claim(24.0, None), by=(deletes(20.0, PERSON),)
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_goes_just_beyond_a_bound_is_found(name: str) -> None:
    invariant, history, want_text = FOUND[name]
    assert want_text in " | ".join(one.text for one in CHECKS[invariant](history()))


@pytest.mark.parametrize("name", INNOCENT)
def test_what_keeps_within_it_is_not(name: str) -> None:
    assert [str(one) for one in violations(INNOCENT[name]())] == []
