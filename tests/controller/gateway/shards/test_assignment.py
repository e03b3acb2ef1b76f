from collections import Counter

from hypothesis import given
from hypothesis.strategies import dictionaries, frozensets, integers, sampled_from, text

from controller.gateway.shards.assignment import assign
from controller.gateway.shards.partitions import SHARDS

names = text("abcdefgh", min_size=1, max_size=3)
members = frozensets(names, min_size=1, max_size=7)
shards = integers(0, SHARDS - 1)
holders = dictionaries(shards, names, max_size=SHARDS)
occupied = frozensets(shards)


def spread(assigned: dict[int, str], among: frozenset[str], shards: frozenset[int]) -> int:
    counts = Counter(assigned[shard] for shard in shards)
    return max(counts[one] for one in among) - min(counts[one] for one in among)


@given(members, holders, occupied)
def test_every_shard_goes_to_a_member_and_all_kinds_are_even(
    members: frozenset[str], holders: dict[int, str], occupied: frozenset[int]
) -> None:
    assigned = assign(members, holders, occupied)
    everything = frozenset(range(SHARDS))
    assert set(assigned) == everything
    assert set(assigned.values()) <= members
    assert spread(assigned, members, occupied) <= 1
    assert spread(assigned, members, everything - occupied) <= 1
    assert spread(assigned, members, everything) <= 1


@given(members, holders, occupied)
def test_once_it_is_so_nothing_moves(
    members: frozenset[str], holders: dict[int, str], occupied: frozenset[int]
) -> None:
    assigned = assign(members, holders, occupied)
    assert assign(members, assigned, occupied) == assigned


@given(members, sampled_from("xyz"), holders, occupied)
def test_who_joins_takes_its_part_of_the_work_and_nobody_else_swaps(
    members: frozenset[str], newcomer: str, holders: dict[int, str], occupied: frozenset[int]
) -> None:
    before = assign(members, holders, occupied)
    after = assign(members | {newcomer}, before, occupied)
    moved = {shard: after[shard] for shard in occupied if before[shard] != after[shard]}
    assert set(moved.values()) <= {newcomer}
    assert len(moved) <= len(occupied) // (len(members) + 1) + 1


@given(members, occupied, holders)
def test_who_leaves_moves_no_work_but_its_own(
    members: frozenset[str], occupied: frozenset[int], holders: dict[int, str]
) -> None:
    before = assign(members | {"leaver"}, holders, occupied)
    after = assign(members, before, occupied)
    assert [shard for shard in occupied if before[shard] not in ("leaver", after[shard])] == []


@given(members, holders, occupied)
def test_it_does_not_depend_on_the_order_of_anything(
    members: frozenset[str], holders: dict[int, str], occupied: frozenset[int]
) -> None:
    turned = dict(reversed(holders.items()))
    assert assign(sorted(members), holders, sorted(occupied)) == assign(sorted(members, reverse=True), turned, occupied)


def test_with_nobody_there_nothing_is_assigned() -> None:
    assert assign((), {1: "a"}, ()) == {}


def test_three_partitions_on_two_replicas_are_not_all_on_one() -> None:
    assigned = assign({"a", "b"}, dict.fromkeys(range(SHARDS), "a"), {1, 2, 3})
    assert sorted(Counter(assigned[shard] for shard in (1, 2, 3)).values()) == [1, 2]
