import pytest

from controller.placement.demand import Resources
from controller.placement.layouts.draft import Draft, Terms
from controller.placement.layouts.problem import LayoutClaim, LayoutNode
from controller.placement.layouts.reseat import reseat
from controller.placement.layouts.site import Site
from tests.builders.layout import batch, layout_node, waiting

WHOLE = layout_node("whole", 1, rests=True)
HALVES = layout_node("halves", 1, "DPX/NPS1", rests=True)


def reseated(there: dict[str, str], *parts: LayoutNode | LayoutClaim) -> dict[str, str]:
    """By claim the node that it has in the end; `there`: those who are seated before, and where."""
    draft = Draft(Site(batch(*parts)), Terms())
    number = {claim.key: index for index, claim in enumerate(draft.site.claims)}
    nodes = {node.table.node.name: node for node in draft.nodes}
    for name, where in there.items():
        claim = number[f"team-a/{name}"]
        (slot,) = nodes[where].table.base
        draft.seat(nodes[where], claim, (slot, draft.site.claims[claim].count))
    before = draft.worth
    draft.begin()
    reseat(draft)
    assert draft.worth >= before
    seated = {claim: name for name, node in nodes.items() for claim in node.seated}
    return {draft.site.claims[claim].key.partition("/")[2]: name for claim, name in seated.items()}


def test_who_is_worth_more_takes_the_place_and_the_other_looks_for_one() -> None:
    claims = [waiting("large", 150), waiting("middle", 60), waiting("small", 20), waiting("least", 10)]
    there = {"middle": "whole", "small": "halves", "least": "halves"}
    assert reseated(there, WHOLE, HALVES, *claims) == {"large": "whole", "middle": "halves", "small": "halves"}


def test_nobody_makes_way_for_who_is_worth_no_more() -> None:
    claims = [waiting("one", 150), waiting("other", 150)]
    assert reseated({"one": "whole"}, WHOLE, *claims) == {"one": "whole"}


@pytest.mark.parametrize(
    ("size", "want"),
    [
        pytest.param(30, {"pair": "halves"}, id="worth more than both together"),
        pytest.param(24, {"left": "halves", "right": "halves"}, id="worth more than each of them"),
    ],
)
def test_several_make_way_for_one_of_several_partitions_that_outweighs_them(size: int, want: dict[str, str]) -> None:
    claims = [waiting("pair", size, 2), waiting("left", 26), waiting("right", 25)]
    assert reseated({"left": "halves", "right": "halves"}, HALVES, *claims) == want


def test_what_one_of_several_partitions_leaves_free_is_given_to_others() -> None:
    claims = [waiting("single", 90), waiting("pair", 40, 2), waiting("small", 10)]
    assert reseated({"pair": "halves"}, HALVES, *claims) == {"single": "halves", "small": "halves"}


def test_a_place_is_not_taken_where_cpu_is_lacking_or_the_claim_may_not_go() -> None:
    node = layout_node("whole", 1, rests=True, left=Resources(1000, 1 << 40, 9))
    hungry = waiting("hungry", 150, resources=Resources(2000, 0, 1))
    barred = waiting("barred", 140, nodes=frozenset({"elsewhere"}))
    small = waiting("small", 20, resources=Resources(1000, 0, 1))
    assert reseated({"small": "whole"}, node, hungry, barred, small) == {"small": "whole"}
