from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.placement.demand import Resources
from controller.placement.layouts.choice import choose, choosing
from controller.placement.layouts.layout import Layout
from controller.placement.layouts.problem import Batch, LayoutClaim, LayoutNode
from controller.placement.layouts.search import Effort
from tests.builders.gpu import bdf
from tests.builders.layout import ONE_EACH, batch, layout_node, waiting

QUICK = Effort(rounds=100)


def chosen(*parts: LayoutNode | LayoutClaim) -> Layout:
    return choose(batch(*parts), effort=QUICK)


def after(layout: Layout) -> Counter[str]:
    return Counter(str(mode) for change in layout.changes for _, mode in change.after)


def test_ten_small_models_make_one_change_of_one_node() -> None:
    small = [waiting(f"small-{number}", 20) for number in range(10)]
    layout = chosen(layout_node("a", 2), layout_node("b", 1), *small)
    assert not layout.unplaced
    assert after(layout) == {"CPX/NPS1": 1}


def test_nothing_changes_where_all_can_be_placed() -> None:
    assert chosen(layout_node("a", 2), waiting("one", 20), waiting("two", 100)).changes == ()


def test_nothing_changes_for_nobody() -> None:
    assert choose(Batch((layout_node(),), ())) == Layout()
    assert choose(Batch((), (waiting("one", 1),))) == Layout(unplaced=("team-a/one",))


def test_a_gpu_that_somebody_holds_keeps_its_mode() -> None:
    layout = chosen(layout_node("a", 1, "CPX/NPS1", held={0: 7}), waiting("large", 100))
    assert layout == Layout(unplaced=("team-a/large",))


def test_the_memory_mode_stays_while_somebody_holds_any_gpu_of_the_node() -> None:
    large = waiting("large", 100)
    busy = layout_node("a", 2, "CPX/NPS4", held={0: 7}, modes=ONE_EACH)
    idle = layout_node("a", 2, "CPX/NPS4", modes=ONE_EACH)
    assert chosen(busy, large).unplaced == ("team-a/large",)
    assert after(chosen(idle, large)) == {"SPX/NPS1": 2}


def test_all_gpus_of_a_node_share_one_memory_mode() -> None:
    claims = [waiting("large", 100), waiting("whole", 180), *(waiting(f"small-{n}", 20) for n in range(8))]
    layout = chosen(layout_node("a", 2, "CPX/NPS4", modes=ONE_EACH), *claims)
    assert len({mode.memory for change in layout.changes for _, mode in change.after}) == 1
    assert layout.unplaced == tuple(f"team-a/small-{n}" for n in range(8))


def test_a_higher_priority_outweighs_any_bytes_of_a_lower_one() -> None:
    layout = chosen(layout_node(), waiting("whole", 180), waiting("small", 10, modes=["CPX/NPS1"], priority=1))
    assert layout.unplaced == ("team-a/whole",)
    assert after(layout) == {"CPX/NPS1": 1}


def test_of_one_priority_the_more_bytes_are_placed() -> None:
    layout = chosen(layout_node(), waiting("whole", 180), waiting("small", 10, modes=["CPX/NPS1"]))
    assert layout == Layout((), layout.seats, ("team-a/small",))


def test_a_claim_of_several_partitions_gets_them_on_one_node_and_in_one_mode() -> None:
    layout = chosen(layout_node("a", 1), layout_node("b", 2), waiting("tensor-parallel", 90, 4))
    (seat,) = layout.seats
    assert (seat.node, dict(seat.partitions)) == ("b", {bdf(0): 2, bdf(1): 2})


def test_a_claim_of_two_partitions_is_not_spread_over_two_modes() -> None:
    whole, half = layout_node("a", 1, held={0: 1}), layout_node("a", 2, "DPX/NPS1", held={1: 1})
    mixed = replace(whole, gpus=(*whole.gpus, half.gpus[1]))
    assert chosen(mixed, waiting("pair", 90, 2)).unplaced == ("team-a/pair",)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(Resources(1000, 1 << 40, 9), id="CPU"),
        pytest.param(Resources(9000, 1 << 30, 9), id="memory"),
        pytest.param(Resources(9000, 1 << 40, 1), id="pods"),
    ],
)
def test_a_node_takes_no_more_pods_than_it_has_room_for(left: Resources) -> None:
    asks = Resources(1000, 1 << 30, 1)
    claims = [waiting(name, 20, resources=asks) for name in "ab"]
    assert len(chosen(layout_node("n", left=left), *claims).seats) == 1


def test_claims_go_where_they_may() -> None:
    layout = chosen(layout_node("a"), layout_node("b"), waiting("one", 20, modes=["CPX/NPS1"], nodes=frozenset("b")))
    assert [change.node for change in layout.changes] == ["b"]


def test_a_node_that_rests_stays_as_it_is() -> None:
    layout = chosen(layout_node("a", rests=True), waiting("one", 20, modes=["CPX/NPS1"]))
    assert layout == Layout(unplaced=("team-a/one",))


def test_gpus_that_have_to_be_alike_change_together() -> None:
    claim = waiting("one", 20, modes=["CPX/NPS1"])
    assert after(chosen(layout_node("a", 3, alike=True), claim)) == {"CPX/NPS1": 3}
    assert chosen(layout_node("a", 3, alike=True, held={0: 0}), claim).changes == ()


def test_one_reload_is_dearer_than_changes_on_two_nodes() -> None:
    """What CPX/NPS4 could do at the price of a reload, DPX/NPS1 does without."""
    modes = ("SPX/NPS1", "DPX/NPS1", "CPX/NPS4")
    claims = [waiting(f"c-{number}", 20) for number in range(4)]
    layout = chosen(layout_node("a", modes=modes), layout_node("b", modes=modes), *claims)
    assert after(layout) == {"DPX/NPS1": 2}


def test_a_little_more_is_not_worth_taking_the_place_from_another() -> None:
    """190 GiB in one GPU, or 2 x 95.5 in its halves: less than a hundredth more."""
    claims = [waiting("whole", 190), waiting("left", 95.5), waiting("right", 95.5)]
    layout = chosen(layout_node(), *claims)
    assert layout.changes == ()
    assert [seat.claim for seat in layout.seats] == ["team-a/whole"]


def test_a_gpu_that_nobody_can_use_as_it_is_changes_for_however_little() -> None:
    """Beside 7 x 180 GiB that have places 5 more are too little to change for; on the GPU left over they are not."""
    whole = [waiting(f"whole-{number}", 180) for number in range(7)]
    layout = chosen(layout_node("a", 8), *whole, waiting("small", 5, modes=["CPX/NPS1"]))
    assert (after(layout), layout.unplaced) == ({"CPX/NPS1": 1}, ())


def test_a_choice_made_a_little_at_a_time_is_the_same_and_pauses_at_each_round() -> None:
    asked = batch(layout_node("a", 2), waiting("whole", 180), *(waiting(f"c-{n}", 50 + n) for n in range(8)))
    found: list[Layout] = []

    def watched() -> Iterator[None]:
        found.append((yield from choosing(asked, effort=QUICK)))

    assert sum(1 for _ in watched()) >= QUICK.rounds
    assert found == [choose(asked, effort=QUICK)]


def test_of_equal_outcomes_the_tighter_mode_is_taken() -> None:
    """Halves would do as well for the two, and leave less room for who comes later."""
    layout = chosen(layout_node("a"), waiting("one", 40), waiting("other", 40, modes=["DPX/NPS1", "QPX/NPS1"]))
    assert after(layout) == {"QPX/NPS1": 1}
