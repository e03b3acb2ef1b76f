"""A trial does for those who find no place what the operator would do, in its order, and nothing twice."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from controller.cli.trial import Around, Expected, Trial
from controller.cli.trial_changes import UnderWay
from controller.cli.trial_victims import Leave
from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.node import Node
from controller.placement.occupant import Occupant
from controller.placement.snapshot import Holder
from controller.repartition.planner import Standing
from controller.repartition.victims import Victims
from tests.builders.demand import demand
from tests.builders.gpu import GIB, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view
from tests.builders.victim import victim

DPX = "DPX/NPS1"


def reason(expected: Expected) -> str:
    return expected.decision.reason if isinstance(expected.decision, Unplaced) else ""


def of_gang(name: str, size: int) -> Demand:
    return replace(demand(name, 60), gang="ranks", gang_size=size)


def occupant(key: str, priority: int = 0, *, leaving: bool = False) -> Occupant:
    own = (key, f"uid-{key}", key.partition("/")[2], "team-b", "worker-0", "", priority, 96 * GIB, 0.0)
    return Occupant(*own, leaving=leaving)


def full() -> Node:
    """A node with one GPU whose halves are held by `team-b/a` and `team-b/b`."""
    return node("worker-0", gpu(0, DPX, holders={0: Holder("ours", "team-b/a"), 1: Holder("ours", "team-b/b")}))


def test_a_gang_gets_its_places_together_or_none() -> None:
    trial = Trial([node("worker-0", gpu(0, DPX))], ())
    found = trial.run([of_gang(f"team-a/{number}", 3) for number in range(3)])
    assert {reason(each) for each in found.values()} == {"GangDoesNotFit"}
    found = Trial([node("worker-0", gpu(0, DPX))], ()).run([of_gang(f"team-a/{number}", 2) for number in range(2)])
    assert all(each.placed for each in found.values())


def test_members_of_a_gang_that_have_a_place_count() -> None:
    around = Around(gang_placed=lambda _: 2)
    found = Trial([node("worker-0", gpu(0, DPX))], (), around).run([of_gang("team-a/third", 3)])
    assert all(each.placed for each in found.values())


def test_the_fewest_of_lower_priority_leave_and_who_comes_after_them_waits() -> None:
    after = demand("team-b/after", 60)
    around = Around(occupants=(occupant("team-b/a"), occupant("team-b/b", 5)), successor=lambda _: after)
    trial = Trial([full()], (), around)
    urgent = replace(demand("team-a/urgent", 60), priority=9)
    found = trial.run([urgent])
    assert found[urgent.uid].placed is not None
    assert [each.occupant.key for each in trial.leaving] == ["team-b/a"]
    assert reason(found[after.uid]) == "NoFreePartition"


def test_nobody_leaves_for_a_gang_that_does_not_fit_even_then() -> None:
    around = Around(occupants=(occupant("team-b/a"), occupant("team-b/b")))
    trial = Trial([full()], (), around)
    trial.run([replace(of_gang(f"team-a/{number}", 3), priority=9) for number in range(3)])
    assert not trial.leaving
    trial.run([replace(of_gang(f"team-a/{number}", 2), priority=9) for number in range(2)])
    assert [each.occupant.key for each in trial.leaving] == ["team-b/a", "team-b/b"]


def test_a_place_that_is_being_left_anyway_costs_nobody_else_his() -> None:
    around = Around(occupants=(occupant("team-b/a", leaving=True), occupant("team-b/b")))
    trial = Trial([full()], (), around)
    urgent = replace(demand("team-a/urgent", 60), priority=9)
    assert isinstance(trial.run([urgent])[urgent.uid].decision, Placed)
    assert not trial.leaving


def keeps(*keys: str, most: int = 0) -> Leave:
    """A disruption budget that lets `most` of these go."""

    def refused(leaving: Sequence[Occupant]) -> frozenset[str]:
        return frozenset([each.key for each in leaving if each.key in keys][most:])

    return Leave(refused)


def test_who_a_budget_keeps_stays_and_another_leaves() -> None:
    around = Around(occupants=(occupant("team-b/a"), occupant("team-b/b", 5)), leave=keeps("team-b/a"))
    trial = Trial([full()], (), around)
    trial.run([replace(demand("team-a/urgent", 60), priority=9)])
    assert [each.occupant.key for each in trial.leaving] == ["team-b/b"]


def test_what_has_left_for_one_is_gone_from_the_budget_for_the_next() -> None:
    around = Around(occupants=(occupant("team-b/a"), occupant("team-b/b")), leave=keeps("team-b/a", "team-b/b", most=1))
    trial = Trial([full()], (), around)
    urgent = [replace(demand(f"team-a/{number}", 60), priority=9) for number in range(2)]
    found = trial.run(urgent)
    assert [each.occupant.key for each in trial.leaving] == ["team-b/a"]
    refused = found[urgent[1].uid].no_victims
    assert refused is not None
    assert refused.reason == "EvictionRefused"


def test_a_gang_that_a_budget_lets_not_all_in_gets_nobody_out() -> None:
    around = Around(occupants=(occupant("team-b/a"), occupant("team-b/b")), leave=keeps("team-b/a", "team-b/b", most=1))
    trial = Trial([full()], (), around)
    trial.run([replace(of_gang(f"team-a/{number}", 2), priority=9) for number in range(2)])
    assert not trial.leaving


@pytest.mark.parametrize(("kept", "want"), [((), "team-b/b"), (("team-b/b",), "team-b/a")])
def test_those_leave_who_were_asked_already_unless_a_budget_keeps_them(kept: tuple[str, ...], want: str) -> None:
    leave = replace(keeps(*kept), kept=lambda _: frozenset({"uid-team-b/b"}))
    trial = Trial([full()], (), Around(occupants=(occupant("team-b/a"), occupant("team-b/b")), leave=leave))
    trial.run([replace(demand("team-a/urgent", 60), priority=9)])
    assert [each.occupant.key for each in trial.leaving] == [want]


def test_idle_gpus_change_once_for_all_who_wait() -> None:
    idle = node("worker-0", gpu(0, "CPX/NPS1"), gpu(1, "CPX/NPS1"), policy=policy_view())
    trial = Trial([idle], ())
    found = trial.run([demand(f"team-a/{number}", 60) for number in range(4)])
    assert all(each.placed and each.change is trial.changes[0] for each in found.values())
    assert len(trial.changes) == 1


def test_idle_gpus_change_before_anybody_leaves() -> None:
    idle = replace(full(), gpus=(*full().gpus, gpu(1, "CPX/NPS1")), policy=policy_view())
    trial = Trial([idle], (), Around(occupants=(occupant("team-b/a"),)))
    urgent = replace(demand("team-a/urgent", 60), priority=9)
    assert trial.run([urgent])[urgent.uid].change is not None
    assert not trial.leaving


def test_a_change_that_moves_a_pod_of_two_partitions_frees_both() -> None:
    there = Holder("ours", "team-b/aim-pair")
    halves = [gpu(number, DPX, holders={0: there}) for number in range(2)]
    busy = node("worker-0", *halves, policy=policy_view())
    spare = node("worker-1", gpu(0, DPX))
    pair = victim("pair", claim="aim-pair", gib=60, count=2)
    found = Victims(
        {"worker-0": {each.partitions[0].id: replace(pair, partition=each.partitions[0].id) for each in halves}}
    )
    under_way = UnderWay(standing=lambda _: Standing(movable=found))
    trial = Trial([busy, spare], (), Around(changes=under_way))
    urgent = replace(demand("team-a/urgent", 150), priority=9)
    placed = trial.run([urgent])[urgent.uid].placed
    assert placed is not None
    assert str(placed.mode) == "SPX/NPS1"
    (moved,) = trial.moved.values()
    assert [(moved.node.name, one.id.index) for one in moved.partitions] == [("worker-1", 0), ("worker-1", 1)]
    now = trial.snapshot()
    assert sum(now.holder(host, part) is not None for host, _, part in now.partitions()) == 3
