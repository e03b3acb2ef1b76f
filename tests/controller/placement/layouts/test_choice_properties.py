"""Whatever nodes and claims there are: an outcome can be carried out, is worth it, and is the last one."""

from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.gpu.mode import Mode
from controller.placement.demand import Resources
from controller.placement.layouts.choice import choose
from controller.placement.layouts.layout import Layout, changed, seated
from controller.placement.layouts.problem import Batch, Choice, LayoutClaim, LayoutNode
from controller.placement.layouts.search import Effort
from tests.builders.layout import ONE_EACH, batch, layout_node, waiting

QUICK = Effort(rounds=40)
NPS1 = ("SPX/NPS1", "DPX/NPS1", "QPX/NPS1", "CPX/NPS1")


@st.composite
def nodes(draw: st.DrawFn, name: str) -> LayoutNode:
    modes = draw(st.sampled_from([NPS1, ONE_EACH, (*NPS1, "CPX/NPS4", "DPX/NPS2"), ("SPX/NPS1", "CPX/NPS4")]))
    gpus = draw(st.integers(1, 4))
    held = draw(st.dictionaries(st.integers(0, gpus - 1), st.integers(0, 1), max_size=2))
    return layout_node(
        name,
        gpus,
        draw(st.sampled_from(modes)),
        modes=modes,
        product=draw(st.sampled_from(["MI300X", "MI325X"])),
        held=held or None,
        left=Resources(draw(st.sampled_from([4000, 100_000])), 1 << 45, draw(st.sampled_from([3, 110]))),
        alike=draw(st.integers(0, 4)) == 0,
        rests=draw(st.integers(0, 5)) == 0,
    )


claims = st.builds(
    lambda size, count, modes, priority, cpu, where: waiting(
        "claim", size, count, modes=modes, priority=priority, resources=Resources(cpu, 0, 1), nodes=where
    ),
    st.sampled_from([5, 20, 24, 40, 60, 90, 120, 190, 250]),
    st.sampled_from([1, 1, 1, 1, 2, 4]),
    st.sampled_from([(), (), (), ("CPX/NPS4",), ("DPX/NPS1", "DPX/NPS2")]),
    st.sampled_from([0, 0, 0, 5]),
    st.sampled_from([0, 1000, 2000]),
    st.sampled_from([None, None, None, frozenset({"a"}), frozenset()]),
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    there = [draw(nodes(name)) for name in "abc"[: draw(st.integers(1, 3))]]
    waits = [replace(each, key=f"team-a/c{number}") for number, each in enumerate(draw(st.lists(claims, max_size=12)))]
    return batch(*there, *waits)


def carried_out(asked: Batch, layout: Layout) -> Batch:
    """The batch in the modes of the layout; fails for a mode that a GPU has not got."""
    modes = {(change.node, bdf): mode for change in layout.changes for bdf, mode in change.after}
    indexes = {}
    for node in asked.nodes:
        for gpu in node.gpus:
            if (mode := modes.get((node.name, gpu.bdf))) is not None:
                indexes[node.name, gpu.bdf] = 1 + [other.mode for other in gpu.others].index(mode)
    return changed(asked, indexes)


def bytes_by_priority(asked: Batch, layout: Layout) -> list[int]:
    placed = {seat.claim for seat in layout.seats}
    return [sum(c.bytes for c in asked.claims if c.key in placed and c.priority == each) for each in (5, 0)]


@given(batches())
@settings(max_examples=60, deadline=None)
def test_an_outcome_keeps_every_rule(asked: Batch) -> None:
    layout = choose(asked, effort=QUICK)
    after = carried_out(asked, layout)
    by_name = {claim.key: claim for claim in asked.claims}
    assert sorted((*layout.unplaced, *(seat.claim for seat in layout.seats))) == sorted(by_name)
    for before, node in zip(asked.nodes, after.nodes, strict=True):
        there = [(by_name[seat.claim], seat.partitions) for seat in layout.seats if seat.node == node.name]
        assert_node_holds(node, there)
        assert_change_is_allowed(before, node)


def assert_node_holds(node: LayoutNode, there: list[tuple[LayoutClaim, tuple[tuple[str, int], ...]]]) -> None:
    offers = {gpu.bdf: gpu.now for gpu in node.gpus}
    taken: Counter[str] = Counter()
    for claim, partitions in there:
        given_modes: set[Choice] = {replace(offers[bdf], free=0) for bdf, _ in partitions}
        assert len(given_modes) == 1
        assert sum(many for _, many in partitions) == claim.count
        (offered,) = given_modes
        assert offered.size >= claim.size
        assert not claim.modes or offered.mode in claim.modes
        assert claim.nodes is None or node.name in claim.nodes
        taken.update(dict(partitions))
    assert all(many <= offers[bdf].free for bdf, many in taken.items())
    assert sum(claim.resources.cpu_milli for claim, _ in there) <= node.left.cpu_milli
    assert sum(claim.resources.pods for claim, _ in there) <= node.left.pods


def assert_change_is_allowed(before: LayoutNode, after: LayoutNode) -> None:
    modes: dict[str, set[Mode]] = defaultdict(set)
    for old, new in zip(before.gpus, after.gpus, strict=True):
        assert new.now == old.now or (old.others and not before.rests)
        modes["memory"].add(Mode(new.now.mode.compute, new.now.mode.memory))
    assert len({mode.memory for mode in modes["memory"]}) == 1
    if not before.reloads:
        assert after.gpus[0].now.mode.memory == before.gpus[0].now.mode.memory
    if before.alike and after != before:
        assert len({gpu.now.mode for gpu in after.gpus}) == 1


@given(batches())
@settings(max_examples=60, deadline=None)
def test_it_is_never_worse_than_doing_nothing(asked: Batch) -> None:
    resting = replace(asked, nodes=tuple(replace(node, rests=True) for node in asked.nodes))
    assert bytes_by_priority(asked, choose(asked, effort=QUICK)) >= bytes_by_priority(
        asked, choose(resting, effort=QUICK)
    )


@given(batches())
@settings(max_examples=60, deadline=None)
def test_asked_again_it_changes_nothing_more(asked: Batch) -> None:
    """Neither while the claims still wait, nor once they have their places."""
    layout = choose(asked, effort=QUICK)
    after = carried_out(asked, layout)
    if layout.changes:
        assert choose(after, effort=QUICK).changes == ()
    assert choose(seated(after, layout.seats), effort=QUICK).changes == ()


@given(batches())
@settings(max_examples=30, deadline=None)
def test_equal_questions_have_equal_answers_in_whatever_order_claims_are_told(asked: Batch) -> None:
    assert choose(replace(asked, claims=asked.claims[::-1]), effort=QUICK) == choose(asked, effort=QUICK)
