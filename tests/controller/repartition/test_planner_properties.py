from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.gpu.mode import Mode
from controller.gpu.product import product_named
from controller.placement.snapshot import Node, Snapshot
from controller.repartition.disruption_budget import Refused
from controller.repartition.feasibility import Bounds, Hardware, ReportedGpu, problems
from controller.repartition.planner import Proposal, Standing, propose
from controller.repartition.victims import Victims
from tests.builders.demand import demand
from tests.builders.gpu import FOREIGN, OURS, busy, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view
from tests.builders.victim import victim

NPS1, NPS4 = ("SPX/NPS1", "DPX/NPS1", "QPX/NPS1", "CPX/NPS1"), ("QPX/NPS4", "CPX/NPS4")


@st.composite
def hosts(draw: st.DrawFn) -> tuple[Node, ...]:
    made = []
    for n in range(draw(st.integers(1, 3))):
        family = draw(st.sampled_from([NPS1, NPS4]))  # one memory mode a node, as on hardware
        cards = []
        for number in range(draw(st.integers(1, 4))):
            mode = draw(st.sampled_from(family))
            holder = draw(st.sampled_from([None, None, OURS, FOREIGN]))
            plan = draw(st.sampled_from([None, None, None, "plan-1"]))
            cards.append(busy(number, mode, holder) if holder else gpu(number, mode, plan=plan))
        made.append(node(f"worker-{n}", *cards, policy=policy_view(validated_only=draw(st.booleans()))))
    return tuple(made)


@settings(deadline=None)
@given(hosts(), st.sampled_from([10, 24, 40, 90, 180]))
def test_a_proposal_touches_idle_gpus_only_and_keeps_one_memory_mode(cluster: tuple[Node, ...], gib: int) -> None:
    snapshot, wanted = Snapshot(cluster), demand(gib=gib)
    found = propose(snapshot, wanted, [])
    if not isinstance(found, Proposal):
        return
    host = snapshot.node(found.node)
    assert host is not None
    cards = {each.bdf: each for each in host.gpus}
    after = dict(found.after)
    assert all(snapshot.idle(host, cards[bdf]) and cards[bdf].plan is None for bdf in after)
    assert dict(found.before) == {bdf: cards[bdf].mode for bdf in after}
    assert all(mode in cards[bdf].allowed for bdf, mode in after.items())
    if found.reloads_driver:
        assert set(after) == set(cards)
    assert len({after.get(bdf, card.mode).memory for bdf, card in cards.items()}) == 1
    size = product_named(cards[found.target].product).partition_bytes(after[found.target])
    assert after[found.target] == found.mode != cards[found.target].mode
    assert size >= wanted.requirement.bytes


@settings(deadline=None)
@given(hosts(), st.sampled_from([10, 24, 90, 180]), st.frozensets(st.sampled_from([*NPS1, *NPS4])), st.booleans())
def test_a_proposal_is_a_plan_that_can_be_carried_out(
    cluster: tuple[Node, ...], gib: int, modes: frozenset[str], validated: bool
) -> None:
    ruled = [replace(each, policy=policy_view(modes=sorted(modes), validated_only=validated)) for each in cluster]
    found = propose(Snapshot(ruled), demand(gib=gib), [])
    if not isinstance(found, Proposal):
        return
    (host,) = [each for each in ruled if each.name == found.node]
    reported = [
        ReportedGpu(one.bdf, one.product, str(one.mode), _texts(one.allowed), frozenset(_texts(one.validated)))
        for one in host.gpus
    ]
    before, after = ({bdf: str(mode) for bdf, mode in layout} for layout in (found.before, found.after))
    bounds = Bounds("shared", modes, validated)
    assert problems(Hardware(found.node, tuple(reported)), before, after, bounds) == ()


def _texts(modes: Iterable[Mode]) -> tuple[str, ...]:
    return tuple(map(str, modes))


@settings(deadline=None)
@given(hosts(), st.sampled_from([10, 40, 180]), st.integers(0, 2), st.sampled_from(["Auto", "Manual"]))
def test_who_has_to_move_may_and_can(cluster: tuple[Node, ...], gib: int, priority: int, approval: str) -> None:
    spare = node("worker-9", gpu(0, "CPX/NPS1"))
    cluster = tuple(replace(each, policy=policy_view(approval=approval)) for each in cluster)
    snapshot = Snapshot((*cluster, spare))
    ours = [
        (host.name, part.id)
        for host, _, part in snapshot.partitions()
        if part.holder is not None and part.holder == OURS
    ]
    movable = Victims(
        {
            host.name: {
                part: victim(f"b-{n}", partition=part, priority=n % 3)
                for n, (name, part) in enumerate(ours)
                if name == host.name
            }
            for host in cluster
        }
    )
    found = propose(snapshot, demand(gib=gib, priority=priority), [], Standing(movable=movable))
    if not isinstance(found, Proposal):
        return
    host = snapshot.node(found.node)
    assert host is not None
    touched = [card for card in host.gpus if card.bdf in dict(found.after)]
    held = {part.id for card in touched for part in card.partitions if part.holder is not None}
    assert {each.partition for each in found.victims} == held
    assert all(card.plan is None for card in touched)
    if found.victims:
        assert isinstance(propose(snapshot, demand(gib=gib, priority=priority), []), Refused)
        assert not found.automatic or all(each.priority < priority for each in found.victims)
