from typing import Any

from controller.cli.grouped import decision_for, together
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node


def members(*sizes: float, **fields: Any) -> list[tuple[Demand, str | None]]:
    return [(demand(f"m{number}", size, **fields), "chat") for number, size in enumerate(sizes)]


def decided(*sizes: float) -> list[Decision]:
    """What becomes of each member on a node in CPX/NPS4."""
    given = members(*sizes)
    asked = together(given)
    (whole,) = asked.demands
    decision = ModelScheduler().schedule(Snapshot([node("worker-0", gpu())]), whole)
    return [decision_for(*asked.founders[each.uid], decision) for each, _ in given]


def test_members_become_one_demand_and_others_stay() -> None:
    asked = together([*members(4, 6), (demand("alone", 4), None)])
    assert [each.requirement.bytes >> 30 for each in asked.demands] == [4, 10]
    assert set(asked.founders) == {each.uid for each, _ in members(4, 6)}


def test_groups_of_one_name_in_two_namespaces_are_two() -> None:
    asked = together([(demand("team-a/x"), "chat"), (demand("team-b/x"), "chat")])
    assert len(asked.demands) == 2


def test_each_member_that_fits_has_the_groups_place_and_the_others_are_told_why() -> None:
    found = decided(10, 10, 10)
    assert [type(each) for each in found] == [Placed, Placed, Unplaced]
    assert isinstance(found[2], Unplaced)
    assert found[2].reason == "ShareGroupFull"


def test_a_group_without_a_place_has_none_for_any_member() -> None:
    assert all(isinstance(each, Unplaced) for each in decided(300, 4))
