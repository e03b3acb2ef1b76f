from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.occupant import Occupant
from controller.placement.quota import Ledger, Quota, borrowed_bytes, guaranteed, within_promise
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.occupant import occupant
from tests.builders.policy import policy_view

CPX = gpu().partitions[0].bytes


def limited(*nodes: str, most: int | None, claimed: int = 0) -> Snapshot:
    """Nodes of one GPU in CPX whose policy has a quota for team-a; partitions are 24 GiB each."""
    view = policy_view(quotas={"team-a": Quota(most=most)})
    return Snapshot(node(name, policy=view, claimed={"team-a": claimed}) for name in nodes)


def decide(snapshot: Snapshot, wanted: Demand) -> Placed | Unplaced:
    return ModelScheduler().schedule(snapshot, wanted)


def test_up_to_the_max_claims_are_placed_and_one_more_is_told_use_max_and_remedy() -> None:
    snapshot = limited("worker-0", most=3 * CPX, claimed=CPX)
    decisions = dict(ModelScheduler().cycle(snapshot, [demand(f"d{n}") for n in range(3)]))
    (refused,) = [found for found in decisions.values() if isinstance(found, Unplaced)]
    assert refused.reason == "QuotaExceeded"
    assert "uses 72.0 GiB of max 72.0 GiB" in refused.message
    assert "ask for a larger max in spec.quotas" in refused.message


def test_the_bytes_of_the_partition_count_and_not_those_of_the_model() -> None:
    assert isinstance(decide(limited("worker-0", most=CPX - 1), demand(gib=1)), Unplaced)
    assert isinstance(decide(limited("worker-0", most=CPX), demand(gib=1)), Placed)


def test_what_the_namespace_has_on_other_nodes_of_the_policy_counts() -> None:
    snapshot = limited("worker-0", "worker-1", most=3 * CPX, claimed=CPX)
    assert isinstance(decide(snapshot, demand()), Placed)
    assert isinstance(decide(snapshot, demand(count=2)), Unplaced)


def test_one_node_alone_still_counts_them_all() -> None:
    snapshot = limited("worker-0", "worker-1", most=2 * CPX, claimed=CPX).only(["worker-0"])
    assert isinstance(decide(snapshot, demand()), Unplaced)


def test_a_namespace_without_a_quota_has_no_bounds() -> None:
    assert isinstance(decide(limited("worker-0", most=0), demand("team-b/aim-b")), Placed)


def test_where_smaller_partitions_are_within_the_max_they_are_taken() -> None:
    both = node("worker-0", gpu(0, "SPX/NPS1"), gpu(1), policy=policy_view(quotas={"team-a": Quota(most=CPX)}))
    found = decide(Snapshot([both]), demand())
    assert isinstance(found, Placed)
    assert found.partition.bytes == CPX


def test_without_a_claim_its_bytes_are_free_and_afterwards_they_count_again() -> None:
    snapshot = limited("worker-0", most=CPX)
    first = decide(snapshot, demand("first"))
    assert isinstance(first, Placed)
    undo = snapshot.hold(first.node, first.partitions, "team-a/first", demand().pod.resources)
    with snapshot.without(["team-a/first"]):
        assert isinstance(decide(snapshot, demand()), Placed)
    assert isinstance(decide(snapshot, demand()), Unplaced)
    undo()
    assert isinstance(decide(snapshot, demand()), Placed)


def test_what_was_tried_before_the_first_question_counts_too() -> None:
    snapshot = limited("worker-0", most=CPX)
    host = snapshot.nodes[0]
    undo = snapshot.hold(host, host.gpus[0].partitions[:1], "team-a/tried", demand().pod.resources)
    assert snapshot.quota_used("shared", "team-a") == CPX
    undo()
    assert snapshot.quota_used("shared", "team-a") == 0


def test_claims_are_guaranteed_whole_by_priority_then_age() -> None:
    claims = [occupant("late", created_seconds=2.0), occupant("old", created_seconds=1.0), occupant("top", priority=5)]
    assert guaranteed(2 * CPX, claims) == {"team-b/aim-top", "team-b/aim-old"}
    assert guaranteed(2 * CPX - 1, claims) == {"team-b/aim-top"}
    assert borrowed_bytes(2 * CPX - 1, claims) == 2 * CPX


def test_a_claim_that_the_min_covers_in_part_is_borrowed_and_so_are_those_after_it() -> None:
    claims = [occupant("large", bytes=4 * CPX, priority=1), occupant("small")]
    assert guaranteed(3 * CPX, claims) == set()


def test_a_promise_is_for_what_is_used_and_asked_together() -> None:
    assert within_promise(Quota(least=3 * CPX), 2 * CPX, CPX)
    assert not within_promise(Quota(least=3 * CPX), 2 * CPX, CPX + 1)


def test_a_ledger_and_its_copy_part_ways() -> None:
    ledger = Ledger({("p", "a"): 1})
    other = ledger.copy()
    other.add(("p", "a"), 2)
    assert (ledger.used(("p", "a")), other.used(("p", "a"))) == (1, 3)


@st.composite
def held(draw: st.DrawFn) -> list[Occupant]:
    return [
        occupant(f"c{n}", bytes=draw(st.integers(1, 6)), priority=draw(st.integers(0, 2)), created_seconds=float(n))
        for n in range(draw(st.integers(0, 8)))
    ]


@given(held(), st.integers(0, 20))
def test_what_is_guaranteed_fits_the_min_and_follows_from_the_claims_alone(claims: list[Occupant], least: int) -> None:
    covered = guaranteed(least, claims)
    assert sum(each.bytes for each in claims if each.key in covered) <= least
    assert guaranteed(least, claims[::-1]) == covered
    if sum(each.bytes for each in claims) <= least:
        assert len(covered) == len(claims)


@given(st.integers(0, 9), st.permutations(range(9)))
def test_the_max_is_never_exceeded_in_any_order(most: int, order: list[int]) -> None:
    view = policy_view(quotas={"team-a": Quota(most=most * CPX)})
    nodes: list[Node] = [node("worker-0", policy=view), node("worker-1", gpu(0, "DPX/NPS1"), policy=view)]
    snapshot = Snapshot(nodes)
    sizes = [1, 1, 1, 1, 1, 1, 1, 60, 60]
    wanted = [replace(demand(f"d{n}", sizes[n]), created_seconds=float(place)) for place, n in enumerate(order)]
    decisions = ModelScheduler().cycle(snapshot, wanted)
    placed = [found for _, found in decisions if isinstance(found, Placed)]
    assert sum(one.bytes for found in placed for one in found.partitions) <= most * CPX
    assert snapshot.quota_used("shared", "team-a") == sum(one.bytes for found in placed for one in found.partitions)


@pytest.mark.parametrize("most", [None, 100 * CPX])
def test_a_max_that_is_far_away_changes_nothing(most: int | None) -> None:
    free = ModelScheduler().schedule(Snapshot([node("worker-0")]), demand())
    found = decide(limited("worker-0", most=most), demand())
    assert isinstance(free, Placed)
    assert isinstance(found, Placed)
    assert found.ids == free.ids
