from dataclasses import replace
from typing import Any

import pytest

from controller.cli.grouped import Membership, fates, together
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand, Resources
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import GIB, gpu
from tests.builders.node import node

Pair = tuple[Demand, Membership]


def member(name: str, gib: float = 2, *, wants_gib: float | None = None, **fields: Any) -> Pair:
    """A pod with a share of `gib`, whose service wants the partition to have `wants_gib` at least."""
    of_group = {key: fields.pop(key) for key in ("group", "service", "guaranteed", "bound") if key in fields}
    membership = Membership(of_group.pop("group", "chat"), int(gib * GIB), **of_group)
    return demand(name, wants_gib or gib, **fields), membership


def members(*sizes: float, **fields: Any) -> list[Pair]:
    return [member(f"m{number}", size, **fields) for number, size in enumerate(sizes)]


def decided(given: list[Pair], **of_node: Any) -> dict[str, Decision]:
    """By its name what becomes of each member on a node with one GPU in CPX/NPS4."""
    asked = together(given)
    (group,) = asked.groups
    snapshot, scheduler = Snapshot([node("worker-0", gpu(), **of_node)]), ModelScheduler()
    ((_, decision),) = scheduler.cycle(snapshot, asked.demands)
    by_uid = fates(group, decision, snapshot)
    return {each.key.partition("/")[2]: by_uid[each.uid] for each, _ in given}


def reasons(found: dict[str, Decision]) -> dict[str, str]:
    """Of those that have no place, why."""
    return {name: decision.reason for name, decision in found.items() if isinstance(decision, Unplaced)}


def test_members_become_one_demand_and_others_stay() -> None:
    asked = together([*members(4, 6), (demand("alone", 4), None)])
    assert [each.requirement.bytes >> 30 for each in asked.demands] == [4, 10]
    assert [each.uid for each, _ in asked.groups[0].members] == [each.uid for each, _ in members(4, 6)]


def test_groups_of_one_name_in_two_namespaces_are_two() -> None:
    asked = together([member("team-a/x"), member("team-b/x")])
    assert len(asked.demands) == len(asked.groups) == 2


def test_the_partition_is_as_large_as_the_most_that_one_wants_and_no_larger_than_needed_for_that() -> None:
    asked = together([member("a", 4, wants_gib=20), member("b", 6, wants_gib=16)])
    assert [each.requirement.bytes >> 30 for each in asked.demands] == [20]


def test_each_member_that_fits_has_the_groups_place_and_the_others_are_told_why() -> None:
    found = decided(members(10, 10, 10))
    assert reasons(found) == {"m2": "ShareGroupFull"}
    assert {each.ids for each in found.values() if isinstance(each, Placed)} == {found["m0"].ids}  # type: ignore[union-attr]


def test_a_smaller_one_fits_where_a_larger_one_before_it_did_not() -> None:
    assert reasons(decided(members(10, 20, 10))) == {"m1": "ShareGroupFull"}


def test_a_group_without_a_place_has_none_for_any_member() -> None:
    assert set(reasons(decided(members(300, 4)))) == {"m0", "m1"}


def test_those_of_higher_priority_have_their_shares_first() -> None:
    given = [member("low", 20, priority=1), member("high", 20, priority=9)]
    assert reasons(decided(given)) == {"low": "ShareGroupFull"}


def test_one_that_cannot_share_with_the_first_does_not_get_a_place_of_its_own() -> None:
    given = [member("first", modes=["CPX/NPS4"]), member("other", modes=["SPX/NPS1"])]
    assert len(together(given).demands) == 1
    assert reasons(decided(given)) == {"other": "ModeMismatch"}


def test_members_share_what_their_node_has_besides_gpus() -> None:
    cpu = constrained(Resources(cpu_milli=600, pods=1))
    given = [member(name, pod=cpu) for name in ("a", "b")]
    found = decided(given, allocatable=Resources(cpu_milli=1000, memory_bytes=1 << 40, pods=110))
    assert reasons(found) == {"b": "NodeResourcesShort"}


@pytest.mark.parametrize(
    ("least", "bound", "want"),
    [
        pytest.param((5, 3), 8, set(), id="as much as the bound"),
        pytest.param((5, 4), 8, {"s1"}, id="one more"),
        pytest.param((5, 4, 3), 8, {"s1"}, id="a smaller one after one that is refused"),
        pytest.param((5, 4, 4), 9, {"s2"}, id="what those before it are promised counts"),
        pytest.param((5, 9), None, set(), id="nothing bounds it"),
        pytest.param(
            (9, 0), 8, set(), id="the first is there whatever it is promised, and who is promised nothing joins"
        ),
        pytest.param((9, 1), 8, {"s1"}, id="nobody is promised more beside one that is promised too much"),
    ],
)
def test_nobody_is_promised_what_the_bound_has_no_room_for(
    least: tuple[int, ...], bound: int | None, want: set[str]
) -> None:
    given = [
        member(f"s{number}", service=f"team-a/s{number}", guaranteed=each, bound=bound)
        for number, each in enumerate(least)
    ]
    found = decided(given)
    assert reasons(found) == dict.fromkeys(want, "GuaranteeCapacity")
    for name in want:
        assert f"minConcurrency {least[int(name[1:])]} is asked for" in getattr(found[name], "message", "")


def test_a_services_further_pods_are_promised_nothing_more() -> None:
    of_one: dict[str, Any] = {"service": "team-a/one", "guaranteed": 5, "bound": 8}
    given = [
        member("one-0", **of_one),
        member("one-1", **of_one),
        member("two-0", service="team-a/two", guaranteed=3, bound=8),
    ]
    assert reasons(decided(given)) == {}
    given[2] = given[2][0], replace(given[2][1], guaranteed=4)
    assert reasons(decided(given)) == {"two-0": "GuaranteeCapacity"}


def test_what_is_looked_at_leaves_the_snapshot_as_it_was() -> None:
    asked, snapshot = together(members(10, 20)), Snapshot([node("worker-0", gpu())])
    ((_, decision),) = ModelScheduler().cycle(snapshot, asked.demands)
    (group,) = asked.groups
    assert fates(group, decision, snapshot) == fates(group, decision, snapshot)
