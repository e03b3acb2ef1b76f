"""Victims against a search of every set: small nodes, claims of one or two partitions, gangs, CPU that may be short."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.placement import preemption
from controller.placement.decision import Placed
from controller.placement.demand import Demand, Resources
from controller.placement.occupant import Occupant, cost
from controller.placement.preemption import NoVictims, Preemption, Preemptor
from controller.placement.quota import Quota, guaranteed, within_promise
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Holder, Node, Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, gpu
from tests.builders.node import node
from tests.builders.occupant import occupant
from tests.builders.occupied import claimed, held_by, taken
from tests.builders.policy import policy_view

TEAMS = ("team-a", "team-b", "team-c")
QPX = gpu(0, "QPX/NPS1").partitions[0].bytes


@st.composite
def hosts(draw: st.DrawFn, number: int) -> tuple[Node, list[Occupant]]:
    whole = gpu(0, draw(st.sampled_from(["QPX/NPS1", "DPX/NPS1", "SPX/NPS1"])))
    there: list[Occupant] = []
    held: list[Occupant | Holder | None] = []
    while len(held) < len(whole.partitions):
        kind = draw(st.sampled_from(["free", "foreign", "one", "one", "two"]))
        width = min(2 if kind == "two" else 1, len(whole.partitions) - len(held))
        if kind in ("one", "two"):
            there.append(
                draw(occupants(f"w{number}-{len(held)}", f"worker-{number}", width * whole.partitions[0].bytes))
            )
        held += [{"free": None, "foreign": FOREIGN}.get(kind, there[-1] if there else None)] * width
    spare = draw(st.integers(0, 2)) * 1000
    capacity = Resources(len(there) * 1000 + spare, 1 << 40, 110)
    return node(f"worker-{number}", held_by(whole, *held), allocatable=capacity, used=taken(there)), there


@st.composite
def occupants(draw: st.DrawFn, name: str, host: str, size: int) -> Occupant:
    return occupant(
        name,
        host,
        namespace=draw(st.sampled_from(TEAMS)),
        bytes=size,
        priority=draw(st.integers(0, 2)),
        created_seconds=float(draw(st.integers(0, 2))),
        ready=draw(st.booleans()),
        movable=draw(st.sampled_from([True, True, True, False])),
        leaving=draw(st.sampled_from([False, False, False, True])),
        gang=draw(st.sampled_from(["", "", "", "ranks"])),
    )


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Snapshot, list[Occupant]]:
    found = [draw(hosts(number)) for number in range(draw(st.integers(1, 2)))]
    everybody = [each for _, there in found for each in there]
    quotas = {team: Quota(draw(st.integers(0, 4)) * QPX) for team in TEAMS if draw(st.booleans())}
    view = policy_view(quotas=quotas)
    return Snapshot(replace(host, policy=view, claimed=claimed(there)) for host, there in found), everybody


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    return demand(
        f"{draw(st.sampled_from(TEAMS))}/aim-wanted",
        draw(st.sampled_from([40, 90])),
        count=draw(st.sampled_from([1, 1, 2, 3])),
        priority=draw(st.integers(0, 3)),
        pod=constrained(Resources(draw(st.sampled_from([0, 1000, 2000])), 0, 1)),
    )


def may_go(snapshot: Snapshot, everybody: list[Occupant], wanted: Demand, victims: tuple[Occupant, ...]) -> bool:
    """Whether these may be made to leave, said once more from the rules."""
    for each in victims:
        host = snapshot.node(each.node)
        assert host is not None
        assert host.policy is not None
        account = [other for other in everybody if other.namespace == each.namespace]
        covered = each.key in guaranteed(host.policy.quota(each.namespace).least, account)
        by_priority = each.priority < wanted.priority
        by_promise = promised(snapshot, wanted, victims, everybody) and each.namespace != wanted.namespace
        if each.leaving or not each.movable:
            return False
        if covered and each.namespace != wanted.namespace and not (by_priority and by_promise):
            return False
        if not by_priority and not by_promise:
            return False
    return True


def whole(everybody: list[Occupant], victims: tuple[Occupant, ...]) -> bool:
    """Whether of each gang all leave who have not left, and all victims or their gangs are of one node."""
    chosen = set(victims)
    crews = [{other for other in everybody if together(each, other)} for each in victims]
    nodes = [{one.node for one in crew} for crew in crews]
    return all(crew <= chosen for crew in crews) and (not nodes or bool(set.intersection(*nodes)))


def together(each: Occupant, other: Occupant) -> bool:
    gang = bool(each.gang) and (each.namespace, each.gang) == (other.namespace, other.gang)
    return each is other or (gang and not other.leaving)


def promised(snapshot: Snapshot, wanted: Demand, victims: tuple[Occupant, ...], everybody: list[Occupant]) -> bool:
    """Whether the place that comes free is within what the namespace can always have."""
    placed = after(snapshot, wanted, victims, everybody)
    if placed is None or placed.node.policy is None:
        return False
    used = sum(each.bytes for each in everybody if each.namespace == wanted.namespace)
    return within_promise(placed.node.policy.quota(wanted.namespace), used, sum(one.bytes for one in placed.partitions))


def after(
    snapshot: Snapshot, wanted: Demand, victims: tuple[Occupant, ...], everybody: list[Occupant]
) -> Placed | None:
    """The demand's place once victims, and those who leave anyway, are gone."""
    gone = [each.key for each in everybody if each.leaving] + [each.key for each in victims]
    with snapshot.without(gone):
        found = ModelScheduler().schedule(snapshot, wanted)
    return found if isinstance(found, Placed) else None


def sets(everybody: list[Occupant]) -> Iterator[tuple[Occupant, ...]]:
    return chain.from_iterable(combinations(everybody, size) for size in range(len(everybody) + 1))


def check(snapshot: Snapshot, everybody: list[Occupant], wanted: Demand) -> None:
    if isinstance(ModelScheduler().schedule(snapshot, wanted), Placed):
        return
    found = Preemptor(ModelScheduler(), snapshot, everybody).find(wanted)
    right = [
        victims
        for victims in sets(everybody)
        if whole(everybody, victims)
        and after(snapshot, wanted, victims, everybody) is not None
        and may_go(snapshot, everybody, wanted, victims)
    ]
    if isinstance(found, NoVictims):
        if found.reason == "NobodyToPreempt" and () in right:
            return  # those who hold its place leave anyway, and it has no right to keep others from it
        assert not right, f"{[each.pod for each in min(right, key=cost)]} could have left for {wanted.key}: {found}"
        return
    assert after(snapshot, wanted, found.victims, everybody) is not None, "they leave, and the demand does not fit"
    assert may_go(snapshot, everybody, wanted, found.victims)
    assert len(found.victims) == min(map(len, right)), f"fewer would do: {min(right, key=cost)}"
    assert cost(found.victims) == min(map(cost, right)), f"cheaper are {min(right, key=cost)}"


@settings(deadline=None, max_examples=300)
@given(clusters(), demands())
def test_victims_are_the_fewest_and_cheapest_and_the_demand_then_fits(
    cluster: tuple[Snapshot, list[Occupant]], wanted: Demand
) -> None:
    check(*cluster, wanted)


def test_the_check_would_notice_a_victim_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [occupant(f"o-{n}", bytes=QPX) for n in range(4)]
    host = node("worker-0", held_by(gpu(0, "QPX/NPS1"), *there), policy=policy_view(), used=taken(there))

    def all_of_them(_: Preemptor, wanted: Demand) -> Preemption:
        placed = after(Snapshot([host]), wanted, tuple(there), there)
        assert placed is not None
        return Preemption(placed, tuple(there), reclaims=False)

    monkeypatch.setattr(preemption.Preemptor, "find", all_of_them)
    with pytest.raises(AssertionError, match="fewer would do"):
        check(Snapshot([host]), there, demand("wanted", 40, priority=1))
