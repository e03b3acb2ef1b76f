from random import Random

import pytest

from controller.placement.layouts.draft import Draft, Terms
from controller.placement.layouts.moves import change
from controller.placement.layouts.problem import LayoutClaim, LayoutNode
from controller.placement.layouts.site import Site
from tests.builders.layout import ONE_EACH, batch, layout_node, waiting


def drafted(*parts: LayoutNode | LayoutClaim) -> Draft:
    """Nobody placed, nothing decided."""
    return Draft(Site(batch(*parts)), Terms())


def test_a_unit_that_is_undone_loses_only_those_for_whom_nothing_is_left() -> None:
    draft = drafted(layout_node("a", 2), waiting("one", 90), waiting("two", 80), waiting("three", 70))
    node = draft.nodes[0]
    half = next(option for option in node.table.groups[0].options if option.free == 2)
    node.open(0, half, 2)
    for claim in (0, 1, 2):
        draft.seat(node, claim, (half.slot, 1))
    draft.close(node, 0, half, (2, 1, 0))
    assert (draft.pool, node.undecided, node.free[half.slot]) == ({2}, [1], 0)


def test_nodes_that_could_never_hold_a_claim_do_not_suit_it() -> None:
    pair, single = waiting("pair", 100, 2), waiting("single", 100)
    site = drafted(layout_node("a", 1), layout_node("b", 2), pair, single).site
    assert {site.claims[claim].key: site.suiting[claim] for claim in (0, 1)} == {pair.key: (1,), single.key: (0, 1)}


@pytest.mark.parametrize("seed", range(5))
def test_however_often_a_draft_changes_no_gpu_is_set_twice_and_the_books_agree(seed: int) -> None:
    claims = [waiting(f"c-{n}", size, 1 + n % 3) for n, size in enumerate((20, 22, 40, 45, 90, 95, 180, 11, 30))]
    draft = drafted(layout_node("a", 3, modes=ONE_EACH), layout_node("b", 2, held={1: 1}), *claims)
    chance = Random(seed)
    for _ in range(100):
        mark = draft.begin()
        change(draft, chance)
        draft.settle_cost()
        if chance.random() < 0.3:
            draft.take_back(mark)
        for node in draft.nodes:
            for number, group in enumerate(node.table.groups):
                units = sum(many for (each, _), many in node.set.items() if each == number)
                assert node.undecided[number] == group.units - units >= 0
            assert min(node.free.values(), default=0) >= 0
        seated = [claim for node in draft.nodes for claim in node.seated]
        assert sorted((*seated, *draft.pool)) == list(range(len(claims)))
        assert draft.worth == sum(draft.site.worth[claim] for claim in seated)
