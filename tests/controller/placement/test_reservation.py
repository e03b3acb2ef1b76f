"""Places kept for those who wait long: the rules, and a node that small claims keep busy for ever."""

from collections import deque
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.placement.decision import Placed
from controller.placement.demand import Demand, Resources
from controller.placement.occupant import Occupant
from controller.placement.preemption import Preemptor
from controller.placement.reservation import (
    WAIT_SECONDS,
    Awaiting,
    being_left,
    most_places,
    overtaken,
    wait_limit,
    waits_long,
)
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Holder, Node, Reservation, Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import FOREIGN, GIB, OURS, gpu, with_partition
from tests.builders.node import node
from tests.builders.occupant import occupant
from tests.builders.occupied import held_by, occupied, taken

MI300X = 192 * GIB
QPX = gpu(0, "QPX/NPS1").partitions[0].bytes


def awaited(wanted: Demand, *hosts: tuple[Node, list[Occupant]]) -> Awaiting | None:
    snapshot = Snapshot(host for host, _ in hosts)
    return Preemptor(ModelScheduler(), snapshot, [each for _, there in hosts for each in there]).awaited(wanted)


def test_up_to_a_gpu_the_limit_is_ten_minutes_and_then_it_grows_with_the_size() -> None:
    assert wait_limit(demand(gib=16), MI300X) == wait_limit(demand(gib=192), MI300X) == WAIT_SECONDS
    assert wait_limit(demand(gib=192, count=4), MI300X) == 4 * WAIT_SECONDS


def test_a_claim_waits_long_from_its_limit_on() -> None:
    wanted = demand(created_seconds=100.0)
    assert not waits_long(wanted, MI300X, 100.0 + WAIT_SECONDS - 1)
    assert waits_long(wanted, MI300X, 100.0 + WAIT_SECONDS)


@pytest.mark.parametrize(("nodes", "want"), [(1, 1), (10, 1), (25, 2), (1000, 100)])
def test_of_ten_nodes_one_has_a_place_that_is_kept(nodes: int, want: int) -> None:
    assert most_places(nodes) == want


def test_the_place_is_where_the_fewest_have_to_leave() -> None:
    busy, quieter = occupied("worker-0", 0, 0, 0, 0), occupied("worker-1", 0, 0, 0, None)
    found = awaited(demand("wanted", 40, count=3), busy, quieter)
    assert found is not None
    assert found.placed.node.name == "worker-1"
    assert len(found.holders) == 2
    assert overtaken(demand("wanted", 40, count=3), found)


def test_priority_does_not_matter_for_those_who_leave_by_themselves() -> None:
    assert awaited(demand("wanted", 40, count=2), occupied("worker-0", 9, 9, 9, 9)) is not None


def test_where_nothing_can_get_free_nothing_is_kept() -> None:
    whole = node("worker-0", held_by(gpu(0, "QPX/NPS1"), *[FOREIGN] * 3))
    assert awaited(demand("wanted", 40, count=2), (whole, [])) is None


def test_one_that_needs_what_another_gives_up_is_first_in_turn_anyway() -> None:
    found = awaited(demand("wanted", 40), occupied("worker-0", 0, 0, 0, 0))
    assert found is not None
    assert not overtaken(demand("wanted", 40), found)


def test_one_that_needs_the_cpu_of_several_is_overtaken() -> None:
    host, there = occupied("worker-0", 0, 0, 0, 0)
    full = replace(host, allocatable=Resources(4000, 1 << 40, 110))
    wanted = demand("wanted", 40, pod=constrained(Resources(3000, 0, 1)))
    found = awaited(wanted, (full, there))
    assert found is not None
    assert overtaken(wanted, found)


class Churn:
    """A node of four partitions; each turn the oldest claim leaves, and a small one comes in front of whoever is late.

    Time goes by a minute a turn.
    """

    def __init__(self, *, reserving: bool) -> None:
        self.reserving = reserving
        self.names = (f"small-{number}" for number in range(10_000))
        self.there = deque(occupant(next(self.names), bytes=QPX) for _ in range(4))
        self.kept: frozenset[int] = frozenset()
        self.wanted = demand("large", 40, count=2)

    def node(self) -> Node:
        whole = held_by(gpu(0, "QPX/NPS1"), *self.there, *[None] * (4 - len(self.there)))
        for_large = Reservation("", claim=self.wanted.uid)
        partitions = tuple(
            replace(one, reservation=for_large if one.id.index in self.kept else None) for one in whole.partitions
        )
        return node("worker-0", replace(whole, partitions=partitions), used=taken(list(self.there)))

    def turn(self, minute: int) -> bool:
        """Whether the large claim got its place."""
        self.there.popleft()
        snapshot = Snapshot([self.node()])
        if isinstance(ModelScheduler().schedule(snapshot, self.wanted), Placed):
            return True
        if self.reserving and waits_long(self.wanted, MI300X, minute * 60.0):
            found = Preemptor(ModelScheduler(), snapshot, list(self.there)).awaited(self.wanted)
            assert found is not None
            self.kept = frozenset(number.index for number in found.placed.ids)
        small = demand(f"team-b/{next(self.names)}", 40)
        if isinstance(ModelScheduler().schedule(Snapshot([self.node()]), small), Placed):
            self.there.append(occupant(small.key.partition("/")[2], bytes=QPX))
        return False


def test_with_a_place_kept_for_it_a_large_claim_is_not_overtaken_for_ever() -> None:
    churn = Churn(reserving=True)
    placed = next((minute for minute in range(60) if churn.turn(minute)), None)
    assert placed is not None
    assert placed <= WAIT_SECONDS / 60 + 4


def test_without_one_it_waits_for_ever() -> None:
    churn = Churn(reserving=False)
    assert not any(churn.turn(minute) for minute in range(200))


@given(st.lists(st.sampled_from([None, 0, 5]), min_size=4, max_size=4), st.integers(1, 4))
def test_what_is_kept_is_the_demands_once_its_holders_have_left(priorities: list[int | None], count: int) -> None:
    assume(any(priority is not None for priority in priorities))
    host, there = occupied("worker-0", *priorities)
    wanted = demand("wanted", 40, count=count)
    snapshot = Snapshot([host])
    found = Preemptor(ModelScheduler(), snapshot, there).awaited(wanted)
    assert found is not None
    with snapshot.without(each.key for each in found.holders):
        decided = ModelScheduler().schedule(snapshot, wanted)
        assert isinstance(decided, Placed)
        assert decided.ids == found.placed.ids
    assert len(found.holders) == max(0, count - priorities.count(None))


@pytest.mark.parametrize(
    ("kept", "holder", "want"),
    [
        pytest.param(Reservation("rs-2"), OURS, 1, id="the owner's, and somebody is there yet"),
        pytest.param(Reservation("", service="team-a/chat"), OURS, 1, id="the service's"),
        pytest.param(Reservation("rs-2"), None, 0, id="free: it could be taken"),
        pytest.param(Reservation("rs-1"), OURS, 0, id="another's"),
        pytest.param(None, OURS, 0, id="kept for nobody"),
    ],
)
def test_places_that_an_older_pod_is_leaving(kept: Reservation | None, holder: Holder | None, want: int) -> None:
    snapshot = Snapshot([node("a", with_partition(gpu(), 3, reservation=kept, holder=holder)), node("b")])
    wanted = demand(owner="rs-2", service="team-a/chat")
    assert being_left(snapshot, wanted) == want
    assert being_left(snapshot, replace(wanted, requirement=replace(wanted.requirement, bytes=MI300X))) == 0
    assert being_left(snapshot, demand()) == 0
