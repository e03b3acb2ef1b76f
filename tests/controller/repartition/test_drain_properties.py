"""What holds for every drain, and that a place is found whenever there is one for everybody."""

from dataclasses import replace
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.placement.snapshot import Gpu, Node, Reservation, Snapshot
from controller.repartition.disruption_budget import Refused
from controller.repartition.drain import Drain, decide_drain
from controller.repartition.victims import Victim, in_order
from tests.builders.demand import constrained
from tests.builders.gpu import FOREIGN, OURS, bdf, gpu
from tests.builders.node import node
from tests.builders.victim import victim

SELECTORS = [(), (("zone", "worker-0"),), (("zone", "worker-1"),)]


@st.composite
def cards(draw: st.DrawFn, number: int) -> Gpu:
    """A GPU in some mode; its partitions free, held, kept for a successor, in quarantine or unhealthy."""
    card = gpu(
        number,
        draw(st.sampled_from(["SPX/NPS1", "QPX/NPS1", "CPX/NPS1"])),
        plan=draw(st.sampled_from([None] * 5 + ["p"])),
    )
    fates = st.sampled_from(["free", "ours", "foreign", "kept", "quarantine", "unhealthy"])
    changed = []
    for partition in card.partitions:
        fate = draw(fates)
        changed.append(
            replace(
                partition,
                holder={"ours": OURS, "foreign": FOREIGN}.get(fate),
                reservation=Reservation("uid-replicas", "abc") if fate == "kept" else None,
                quarantined=fate == "quarantine",
                healthy=fate != "unhealthy",
            )
        )
    return replace(card, partitions=tuple(changed))


@st.composite
def scenes(draw: st.DrawFn, most: int = 2) -> tuple[list[Node], frozenset[str], list[Victim]]:
    """Two nodes; worker-0's first GPU, or all of them, is to change, and pods of ours, of `most` partitions each at
    most, are on it.
    """
    victims = [
        victim(
            f"b-{n}",
            index=n,
            gib=draw(st.sampled_from([10, 40, 150])),
            priority=draw(st.integers(-1, 2)),
            created_seconds=float(draw(st.integers(0, 2))),
            ready=draw(st.booleans()),
            owner=draw(st.sampled_from(["uid-replicas"] * 6 + [""])),
            constraints=constrained(node_selector=draw(st.sampled_from(SELECTORS))),
            count=draw(st.sampled_from([1, 1, most])),
        )
        for n in range(draw(st.integers(0, 4)))
    ]
    first = gpu(0, "CPX/NPS1", holders={each.partition.index: OURS for each in victims}, plan="mine")
    home = node("worker-0", first, draw(cards(1)), labels={"zone": "worker-0"})
    whole = draw(st.booleans())
    touched = frozenset({bdf(0), bdf(1)} if whole else {bdf(0)})
    return [home, node("worker-1", draw(cards(0)), labels={"zone": "worker-1"})], touched, victims


@settings(deadline=None, max_examples=300)
@given(scenes(), st.integers(0, 4), st.integers(-1, 3))
def test_no_drain_breaks_a_promise(
    scene: tuple[list[Node], frozenset[str], list[Victim]], budget: int, most: int
) -> None:
    nodes, touched, victims = scene
    snapshot = Snapshot(nodes)
    found = decide_drain(
        snapshot, "worker-0", touched, victims, budget_left=budget, allowed=lambda each: each.priority <= most
    )
    if isinstance(found, Refused):
        assert any(each.name in found.message for each in victims)
        return
    pods = list(dict.fromkeys(move.victim for move in found.moves))
    assert len(pods) <= budget
    for each in pods:
        goes_to = [move.node for move in found.moves if move.victim == each]
        assert (len(goes_to), len(set(goes_to))) == (each.count, 1)
    places = [(move.node, move.partition) for move in found.moves]
    assert len(set(places)) == len(places)
    known = {(host.name, part.id): (card, part) for host, card, part in snapshot.partitions()}
    for move in found.moves:
        card, part = known[move.node, move.partition]
        assert (move.node, card.bdf) not in {("worker-0", each) for each in touched}
        assert part.holder is None
        assert part.reservation is None
        assert part.healthy
        assert not part.quarantined
        assert card.plan is None
        assert (card.mode, part.bytes) == (move.mode, move.bytes)
        assert part.bytes >= move.victim.requirement_bytes
        assert dict(move.victim.constraints.node_selector).get("zone", move.node) == move.node
        assert move.victim in victims
        assert move.victim.priority <= most
        assert move.victim.owner
    assert pods == in_order(victims)[: len(pods)]
    assert found.waiting or len(pods) == len(victims)


@settings(deadline=None, max_examples=200)
@given(scenes(), st.randoms(use_true_random=False))
def test_equal_scenes_are_decided_alike(scene: tuple[list[Node], frozenset[str], list[Victim]], random: object) -> None:
    nodes, touched, victims = scene
    shuffled = list(victims)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        decide_drain(Snapshot(hosts), "worker-0", touched, order, budget_left=2, allowed=lambda _: True)
        for hosts, order in ((nodes, victims), (nodes[::-1], shuffled))
    )
    assert first == second


@settings(deadline=None, max_examples=200)
@given(scenes(most=1))
def test_a_place_is_refused_only_when_there_is_none_for_everybody(
    scene: tuple[list[Node], frozenset[str], list[Victim]],
) -> None:
    nodes, touched, victims = scene
    owned = [replace(each, owner="uid-replicas") for each in victims]
    nodes[0] = replace(nodes[0], gpus=tuple(map(without_foreign, nodes[0].gpus)))
    found = decide_drain(Snapshot(nodes), "worker-0", touched, owned, budget_left=9, allowed=lambda _: True)
    assert isinstance(found, Drain) == by_trying_all(nodes, touched, owned)


def without_foreign(card: Gpu) -> Gpu:
    return replace(
        card,
        partitions=tuple(replace(p, holder=OURS if p.holder is FOREIGN else p.holder) for p in card.partitions),
    )


def by_trying_all(nodes: list[Node], touched: frozenset[str], victims: list[Victim]) -> bool:
    places = [
        (host.name, part.bytes)
        for host in nodes
        for card in host.gpus
        for part in card.partitions
        if not (host.name == "worker-0" and card.bdf in touched) and card.plan is None and usable(part)
    ]
    if len(places) < len(victims):
        return False
    return any(
        all(
            size >= each.requirement_bytes and dict(each.constraints.node_selector).get("zone", host) == host
            for each, (host, size) in zip(victims, chosen, strict=True)
        )
        for chosen in set(permutations(places, len(victims)))
    )


def usable(part: object) -> bool:
    return part.holder is None and part.reservation is None and part.healthy and not part.quarantined  # type: ignore[attr-defined]
