"""Who waits for an idle GPU to be divided, and who does not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.placement.decision import Decision, Placed
from controller.placement.demand import Demand
from controller.placement.gangs import units
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Gpu, Node, Reservation, Snapshot
from controller.repartition.disruption_budget import Usage
from controller.repartition.division import (
    Division,
    Judging,
    Pending,
    Unit,
    Waste,
    divide_first,
    sentence,
    sort_out,
    waste_of,
)
from controller.repartition.joint import Around, Expected
from controller.repartition.planner import Proposal
from tests.builders.demand import demand
from tests.builders.gpu import FOREIGN, bdf, busy, gpu, with_partition
from tests.builders.node import node
from tests.builders.policy import policy_view

SMALL = 20


def host(*gpus: Gpu, name: str = "worker-0", **policy: Any) -> Node:
    return node(name, *gpus, policy=policy_view(**{"divides": True} | policy))


def spx(count: int, **fields: Any) -> tuple[Gpu, ...]:
    return tuple(gpu(number, "SPX/NPS1", **fields) for number in range(count))


def sorted_out(snapshot: Snapshot, demands: Sequence[Demand], impatient: Sequence[str] = ()) -> Pending:
    scheduler = ModelScheduler()

    def decide(unit: Unit) -> list[tuple[Demand, Decision]]:
        return [(each, scheduler.schedule(snapshot, each)) for each in unit]

    return sort_out(snapshot, units(order(demands)), Judging(decide, lambda each: each.key not in impatient))


def divided(
    demands: Sequence[Demand],
    *nodes: Node,
    active: Sequence[str] = (),
    expected: Mapping[str, Expected] | None = None,
    impatient: Sequence[str] = (),
    tried: bool = False,
) -> Division:
    snapshot = Snapshot(nodes)
    around = Around(Usage(active), expected or {}, frozenset(), lambda _demand, _change: tried)
    return divide_first(snapshot, sorted_out(snapshot, demands, impatient), around)


def waiting(division: Division) -> set[str]:
    return {key.removeprefix("team-a/") for key in division.waits}


def modes(change: Proposal | None) -> dict[str, str]:
    return {} if change is None else {number: str(mode) for number, mode in change.after}


def wasted(asked: Demand, *gpus: Gpu, **policy: Any) -> Waste | None:
    snapshot = Snapshot([host(*gpus, **policy)])
    placed = ModelScheduler().schedule(snapshot, asked)
    assert isinstance(placed, Placed)
    return waste_of(snapshot, asked, placed)


def test_a_whole_gpu_for_a_small_model_is_waste() -> None:
    waste = wasted(demand("a", SMALL), *spx(1))
    assert waste is not None
    assert (waste.tight >> 20, waste.most >> 20, waste.gpus) == (24_574, 24_574, frozenset([("worker-0", bdf(0))]))


@pytest.mark.parametrize(
    ("asked", "gpus"),
    [
        pytest.param(demand("a", 97), spx(1), id="it needs more than half"),
        pytest.param(demand("a", 90), [gpu(0, "DPX/NPS1")], id="the partition fits"),
        pytest.param(demand("a", SMALL, modes=["SPX/NPS1"]), spx(1), id="it asks for a whole GPU"),
        pytest.param(demand("a", SMALL), spx(1, product="MI210"), id="the GPU cannot be divided"),
        pytest.param(demand("a", SMALL, gang="ranks"), spx(1), id="it is one of a gang"),
        pytest.param(
            demand("a", SMALL, owner="set"),
            [with_partition(gpu(0, "SPX/NPS1"), 0, reservation=Reservation("set"))],
            id="the place is kept for it",
        ),
    ],
)
def test_nobody_waits_past_a_place_that_is_right(asked: Demand, gpus: Sequence[Gpu]) -> None:
    assert wasted(asked, *gpus) is None


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"divides": False}, id="GPUs are divided when nothing is free"),
        pytest.param({"approval": "Manual"}, id="a person decides"),
        pytest.param({"repartition": False}, id="nothing is changed"),
        pytest.param({"modes": ["SPX/NPS1"]}, id="no smaller mode is allowed"),
        pytest.param({"validated_only": True, "modes": ["SPX/NPS1", "CPX/NPS1"]}, id="no smaller mode is validated"),
    ],
)
def test_nobody_waits_for_what_the_policy_forbids(policy: dict[str, Any]) -> None:
    assert wasted(demand("a", SMALL), *spx(1), **policy) is None


def test_a_small_model_waits_for_one_gpu_to_be_divided() -> None:
    division = divided([demand("a", SMALL)], host(*spx(4)))
    assert modes(division.change("team-a/a")) == {bdf(0): "CPX/NPS1"}
    assert waiting(division) == {"a"}


def test_eight_small_models_wait_for_one_change() -> None:
    division = divided([demand(f"s{n}", SMALL) for n in range(8)], host(*spx(4)))
    assert len(division.waits) == 8
    assert {change.after for change in division.joint.proposals.values()} == {((bdf(0), Mode.parse("CPX/NPS1")),)}


def halving(*larger: Gpu, **fields: Any) -> Division:
    """A model of 135 GiB, which fits a whole GPU of 192 GiB and half of one of 288 GiB."""
    other = replace(host(*larger, name="worker-1"), **fields)
    return divided([demand("a", 135)], host(*spx(1)), other)


def test_half_of_a_larger_gpu_is_waited_for_rather_than_a_whole_one_taken() -> None:
    change = halving(gpu(0, "SPX/NPS1", product="MI355X")).change("team-a/a")
    assert change is not None
    assert (change.node, modes(change)) == ("worker-1", {bdf(0): "DPX/NPS1"})


@pytest.mark.parametrize(
    "larger",
    [
        pytest.param(gpu(0, "SPX/NPS1", product="MI355X", holders={0: FOREIGN}), id="somebody has it"),
        pytest.param(gpu(0, "SPX/NPS1", product="MI355X", unhealthy=[0]), id="it is broken"),
        pytest.param(gpu(0, "SPX/NPS1", product="MI300X"), id="it is no larger"),
    ],
)
def test_a_whole_gpu_is_taken_where_no_larger_one_can_be_divided(larger: Gpu) -> None:
    assert waiting(halving(larger)) == set()


def test_a_larger_gpu_that_the_model_may_not_have_is_not_waited_for() -> None:
    assert waiting(halving(gpu(0, "SPX/NPS1", product="MI355X"), unschedulable=True)) == set()


def test_a_few_bytes_less_are_not_waited_for() -> None:
    halves = host(gpu(0, "DPX/NPS1", product="MI355X"))  # 144 GiB, and 128 GiB would do
    division = divided([demand("a", 120)], halves, host(gpu(0, "SPX/NPS1", product="MI325X"), name="worker-1"))
    assert waiting(division) == set()


def test_the_first_of_those_who_would_share_a_gpu_is_among_those_it_is_divided_for() -> None:
    queue = [demand(f"s{n}", size, created_seconds=float(n)) for n, size in enumerate((60, 80, 90, 95))]
    assert waiting(divided(queue, host(*spx(1)))) == {"s0", "s3"}


def test_a_large_model_that_comes_later_keeps_its_whole_gpu() -> None:
    division = divided([demand("a", SMALL), demand("big", 150, created_seconds=9.0)], host(*spx(2)))
    assert waiting(division) == {"a"}
    assert len(modes(division.change("team-a/a"))) == 1


def test_on_the_last_gpu_the_older_small_model_is_served_and_leaves_room_for_others() -> None:
    division = divided([demand("a", SMALL), demand("big", 150, created_seconds=9.0)], host(*spx(1)))
    assert waiting(division) == {"a"}


def test_the_gpu_that_a_more_important_model_needs_whole_is_not_divided() -> None:
    urgent = demand("urgent", 150, priority=9)
    division = divided([urgent, demand("a", SMALL)], host(gpu(0, "DPX/NPS1")))
    assert modes(division.joint.proposals["team-a/urgent"]) == {bdf(0): "SPX/NPS1"}
    assert waiting(division) == set()


def test_no_driver_is_reloaded_to_divide_a_whole_node_for_one_small_model() -> None:
    assert waiting(divided([demand("a", SMALL)], host(*spx(2), validated_only=True))) == set()


def test_a_driver_is_reloaded_for_as_many_small_models_as_would_take_all_its_gpus() -> None:
    division = divided([demand("a", SMALL), demand("b", SMALL)], host(*spx(2), validated_only=True))
    assert waiting(division) == {"a", "b"}
    assert modes(division.change("team-a/a")) == {bdf(0): "CPX/NPS4", bdf(1): "CPX/NPS4"}


def test_another_idle_gpu_is_divided_rather_than_half_of_a_gpu_wasted() -> None:
    division = divided([demand("a", SMALL)], host(busy(0, "DPX/NPS1"), gpu(1, "SPX/NPS1")))
    assert modes(division.change("team-a/a")) == {bdf(1): "CPX/NPS1"}


@pytest.mark.parametrize(
    "gpus",
    [
        pytest.param([busy(0, "DPX/NPS1", FOREIGN)], id="somebody else holds a part of it"),
        pytest.param([gpu(0, "DPX/NPS1", unhealthy=[1])], id="a part of it is unhealthy"),
    ],
)
def test_where_no_idle_gpu_can_be_divided_nobody_waits(gpus: Sequence[Gpu]) -> None:
    assert waiting(divided([demand("a", SMALL)], host(*gpus))) == set()


@pytest.mark.parametrize(
    "policy",
    [pytest.param({"cooldown_left": 60.0}, id="the node rests"), pytest.param({"in_window": False}, id="no window")],
)
def test_a_change_that_may_not_be_made_now_is_not_waited_for(policy: dict[str, Any]) -> None:
    assert waiting(divided([demand("a", SMALL)], host(*spx(2), **policy))) == set()


def test_while_other_nodes_change_a_later_change_is_waited_for() -> None:
    division = divided([demand("a", SMALL)], host(*spx(2)), active=["worker-9"])
    assert (waiting(division), dict(division.joint.proposals)) == ({"a"}, {})
    assert modes(division.change("team-a/a")) == {bdf(0): "CPX/NPS1"}


def test_a_node_that_rests_is_not_waited_for_while_others_change() -> None:
    assert waiting(divided([demand("a", SMALL)], host(*spx(2), cooldown_left=60.0), active=["worker-9"])) == set()


@pytest.mark.parametrize(("asks", "want"), [(False, {"team-a/a": "plan-a"}), (True, {})])
def test_a_plan_under_way_is_waited_for_unless_a_person_is_to_approve_it(asks: bool, want: dict[str, str]) -> None:
    expected = {"worker-0": Expected("plan-a", {bdf(0): Mode.parse("CPX/NPS1")}, asks)}
    changing = host(gpu(0, "SPX/NPS1", plan="plan-a"), gpu(1, "SPX/NPS1"))
    division = divided([demand("a", SMALL)], changing, expected=expected, active=["worker-0"])
    assert dict(division.joint.served) == want
    assert waiting(division) == {key.removeprefix("team-a/") for key in want}


def test_whoever_has_waited_long_enough_waits_no_more() -> None:
    assert waiting(divided([demand("a", SMALL)], host(*spx(2)), impatient=["team-a/a"])) == set()


def test_a_change_that_failed_lately_is_not_waited_for() -> None:
    assert waiting(divided([demand("a", SMALL)], host(*spx(2)), tried=True)) == set()


def test_ranks_of_a_small_model_wait_together() -> None:
    division = divided([demand("ranks", SMALL, count=2)], host(*spx(2)))
    assert modes(division.change("team-a/ranks")) == {bdf(0): "CPX/NPS1"}


def test_everybody_who_was_looked_at_is_known() -> None:
    division = divided([demand("a", SMALL), demand("big", 150)], host(*spx(2)))
    assert (division.overlooks("team-a/big"), division.overlooks("team-a/later")) == (False, True)


def test_the_sentence_says_what_would_be_wasted_and_what_is_changed() -> None:
    division = divided([demand("a", SMALL)], host(*spx(1)))
    text = sentence(division.waits["team-a/a"], division.change("team-a/a"))
    assert text == (
        "a partition of 192.0 GiB could be had on node worker-0 for 20.0 GiB; 168.0 GiB more than in partitions of "
        "24.0 GiB would be wasted, so GPU 0000:01:00.0 of node worker-0, to CPX/NPS1, is divided first"
    )
