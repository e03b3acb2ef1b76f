"""Random clusters: a chance is what it says it is once it is carried out, and disturbs nobody whom it may not."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.gpu.mode import Mode
from controller.placement.changes.modes import changed_node
from controller.placement.decision import Placed
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.repartition.defragmentation import Chance, Field, chances
from tests.builders.demand import constrained, demand
from tests.builders.fragments import holding, host, scene
from tests.builders.gpu import FOREIGN, gpu

MODES = ("SPX/NPS1", "DPX/NPS1", "CPX/NPS1")


@st.composite
def fields(draw: st.DrawFn) -> Field:
    nodes, sizes = [], {}
    for number in range(draw(st.integers(1, 3))):
        gpus = []
        for index in range(draw(st.integers(1, 3))):
            whole = gpu(index, draw(st.sampled_from(MODES)))
            there = {}
            for slot in range(len(whole.partitions)):
                kind = draw(st.sampled_from(["free", "free", "ours", "foreign"] if slot else ["free", "ours", "ours"]))
                name = f"{number}-{index}-{slot}"
                if kind == "ours":
                    most = whole.partitions[slot].bytes >> 30
                    sizes[name] = draw(st.sampled_from([size for size in (8, 20, 60, 150) if size <= most]))
                if kind != "free":
                    there[slot] = holding(name) if kind == "ours" else FOREIGN
            gpus.append(gpu(index, str(whole.mode), holders=there))
        nodes.append(host(*gpus, name=f"worker-{number}"))
    sized = draw(st.lists(st.sampled_from([60, 90, 150]), max_size=3))
    schedule = ModelScheduler().schedule
    claims = [demand(f"aim-{at}", size) for at, size in enumerate(sized)]
    lost = [each for each in claims if not isinstance(schedule(Snapshot(nodes), each), Placed)]
    return scene(*nodes, waiting=lost, gib=sizes)


def carried_out(field: Field, chance: Chance) -> Snapshot:
    """The cluster afterwards, by hand: those who move are where they were sent, the GPUs have their modes."""
    places = {(move.node, move.partition): holding(move.victim.pod) for move in chance.moves}
    gone = {move.victim.partition for move in chance.moves}
    after: Mapping[str, Mode] = dict(chance.after)

    def moved(node: Node, whole: Gpu) -> Gpu:
        leave = node.name == chance.node
        found = [
            replace(
                one,
                holder=places.get(
                    (node.name, one.id), None if leave and one.id in gone and whole.bdf in after else one.holder
                ),
            )
            for one in whole.partitions
        ]
        return replace(whole, partitions=tuple(found))

    nodes = [replace(node, gpus=tuple(moved(node, each) for each in node.gpus)) for node in field.snapshot.nodes]
    return Snapshot([changed_node(each, after) or each if each.name == chance.node else each for each in nodes])


def changes(chance: Chance, node: Node, whole: Gpu) -> bool:
    return node.name == chance.node and whole.bdf in dict(chance.after)


def idle(snapshot: Snapshot) -> int:
    return sum(snapshot.idle(node, each) for node in snapshot.nodes for each in node.gpus)


@settings(max_examples=150)
@given(fields())
def test_what_a_chance_promises_is_there_once_it_is_carried_out(field: Field) -> None:
    for chance in chances(field):
        later = carried_out(field, chance)
        assert idle(later) - idle(field.snapshot) == chance.gain.gpus
        for demand_ in field.waiting:
            if demand_.key in chance.served:
                decision = field.schedule(later, demand_)
                assert isinstance(decision, Placed)
                later.hold(decision.node, decision.partitions, demand_.key, constrained().resources)


@settings(max_examples=150)
@given(fields())
def test_nobody_is_sent_to_a_place_that_is_too_small_or_held_and_foreign_holders_stay(field: Field) -> None:
    for chance in chances(field):
        places = [(move.node, move.partition) for move in chance.moves]
        assert len(set(places)) == len(places)
        assert all(move.bytes >= move.victim.requirement_bytes for move in chance.moves)
        emptied = [one for node, each, one in field.snapshot.partitions() if changes(chance, node, each)]
        assert not {(chance.node, one.id) for one in emptied}.intersection(places)
        assert not any(one.holder == FOREIGN for one in emptied)
