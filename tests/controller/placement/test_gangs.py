from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand, Resources
from controller.placement.gangs import GATHER_SECONDS, Gang, place_gang, units, with_members
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import OURS, gpu
from tests.builders.node import node


def member(name: str, gib: float = 16, size: int = 3) -> Demand:
    return demand(name, gib, gang="g", gang_size=size)


def members(count: int, gib: float = 16, size: int = 3) -> tuple[Demand, ...]:
    return tuple(member(f"m{n}", gib, size) for n in range(count))


def place(snapshot: Snapshot, gang: Gang, now: float = 0.0) -> list[Placed | Unplaced]:
    return [decision for _, decision in place_gang(snapshot, gang, ModelScheduler(), now)]


def test_all_members_get_a_place_of_their_own() -> None:
    found = place(Snapshot([node()]), Gang("g", members(3)))
    assert len({each.partition.id for each in found if isinstance(each, Placed)}) == 3


def test_none_gets_one_where_not_all_fit_and_everybody_is_told() -> None:
    free_two = node("worker-0", gpu(holders=dict.fromkeys(range(6), OURS)))
    found = place(Snapshot([free_two]), Gang("g", members(3)))
    assert {each.reason for each in found if isinstance(each, Unplaced)} == {"GangDoesNotFit"}
    assert len(found) == 3
    assert all("2 of 3 pods that wait fit together" in each.message for each in found if isinstance(each, Unplaced))


@pytest.mark.parametrize("count", [2, 3])
def test_what_was_tried_is_taken_back(count: int) -> None:
    snapshot = Snapshot([node("worker-0", gpu(holders=dict.fromkeys(range(6), OURS)))])
    before = [snapshot.holder(host, part) for host, _, part in snapshot.partitions()]
    place(snapshot, Gang("g", members(count, size=count)))
    assert [snapshot.holder(host, part) for host, _, part in snapshot.partitions()] == before


def test_cpu_counts_for_the_members_together() -> None:
    heavy = [replace(each, pod=constrained(Resources(60_000, 0, 1))) for each in members(3)]
    assert all(isinstance(each, Unplaced) for each in place(Snapshot([node()]), Gang("g", tuple(heavy))))


def test_members_that_are_missing_are_waited_for_and_after_a_while_asked_for() -> None:
    gang = Gang("g", members(2))
    (early, _), (late, _) = place(Snapshot([node()]), gang, 1.0), place(Snapshot([node()]), gang, GATHER_SECONDS)
    assert isinstance(early, Unplaced)
    assert early.message == "gang g has 2 of 3 pods; it waits for 1 more"
    assert isinstance(late, Unplaced)
    assert "2 of 3 pods since 1970-01-01T00:00Z: 1 missing; see whether their controller makes them" in late.message


def test_members_that_have_a_place_count() -> None:
    assert all(isinstance(each, Placed) for each in place(Snapshot([node()]), Gang("g", members(2), placed=1)))


def test_two_sizes_are_told() -> None:
    (found, _) = place(Snapshot([node()]), Gang("g", (member("a"), member("b", size=2))))
    assert isinstance(found, Unplaced)
    assert found.reason == "GangSizeMismatch"
    assert "2, 3" in found.message


def test_a_gang_is_decided_whole_at_the_turn_of_its_first() -> None:
    alone, first, second = demand("alone"), member("first"), member("second")
    assert units([first, alone, second]) == [(first, second), (alone,)]


def test_of_gangs_in_hand_those_that_wait_come_too_and_nobody_else() -> None:
    first, second, other = member("first"), member("second"), demand("other")
    elsewhere = replace(member("third"), namespace="team-b", key="team-b/third")
    assert with_members([first], [second, other, elsewhere]) == [first, second]
    assert with_members([other], [first]) == [other]


@given(st.lists(st.sampled_from([10, 20, 90]), min_size=1, max_size=6), st.sets(st.integers(0, 7)))
def test_a_gang_is_placed_whole_or_not_at_all(sizes: list[int], held: set[int]) -> None:
    snapshot = Snapshot([node("worker-0", gpu(holders=dict.fromkeys(held, OURS)), gpu(1, "DPX/NPS1"))])
    gang = Gang("g", tuple(member(f"m{n}", size, len(sizes)) for n, size in enumerate(sizes)))
    found = place(snapshot, gang)
    assert len({type(each) for each in found}) == 1
    places = [one for each in found if isinstance(each, Placed) for one in each.ids]
    assert len(places) == len(set(places))
