"""Whatever waits: nobody who has a place loses it by dividing first, and no change takes more GPUs than it saves."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.repartition.candidates import planned_bytes
from controller.repartition.disruption_budget import Usage
from controller.repartition.division import divide_first
from controller.repartition.joint import Around
from tests.builders.demand import demand
from tests.builders.gpu import busy, gpu
from tests.controller.repartition.test_division import host, sorted_out

MODES = st.sampled_from(["SPX/NPS1", "SPX/NPS1", "DPX/NPS1", "CPX/NPS1"])
SIZES = st.sampled_from([10, 20, 40, 90, 150])


@st.composite
def gpus(draw: st.DrawFn) -> tuple[Gpu, ...]:
    made = (busy if draw(st.integers(0, 4)) == 0 else gpu for _ in range(draw(st.integers(1, 3))))
    return tuple(make(number, draw(MODES)) for number, make in enumerate(made))


@st.composite
def fleets(draw: st.DrawFn) -> list[Node]:
    rules = st.fixed_dictionaries({"validated_only": st.booleans(), "divides": st.integers(0, 4).map(bool)})
    return [host(*draw(gpus()), name=f"worker-{number}", **draw(rules)) for number in range(draw(st.integers(1, 3)))]


@st.composite
def queues(draw: st.DrawFn) -> list[Demand]:
    asked = draw(st.lists(st.tuples(SIZES, st.integers(1, 2), st.integers(0, 1)), min_size=1, max_size=8))
    return [
        demand(f"d{n}", size, count=count, priority=priority, created_seconds=float(n))
        for n, (size, count, priority) in enumerate(asked)
    ]


@given(fleets(), queues(), st.booleans())
@settings(max_examples=120, deadline=None)
def test_nobody_loses_a_place_and_no_change_takes_more_than_it_saves(
    nodes: Sequence[Node], queue: Sequence[Demand], busy_elsewhere: bool
) -> None:
    snapshot = Snapshot(nodes)
    free = {(node.name, one.id) for node, _, one in snapshot.partitions() if snapshot.holder(node, one) is None}
    pending = sorted_out(snapshot, queue)
    around = Around(Usage(["worker-9"] if busy_elsewhere else ()), {}, frozenset(), lambda _demand, _change: False)
    division = divide_first(snapshot, pending, around)
    assert free == {(node.name, one.id) for node, _, one in snapshot.partitions() if snapshot.holder(node, one) is None}

    kept = [each.placed for each in pending.fitting if each.turn == 0]
    left = [each for each in pending.wasteful if each.key not in division.waits]
    kept += [each.placed for each in left if each.turn == 0 and not each.shared]
    kept_gpus = {(placed.node.name, device.gpu.bdf) for placed in kept for device in placed.devices}
    changes = {**division.joint.proposals, **division.later}
    changed = {(change.node, number) for change in changes.values() for number, _ in change.after}
    assert not kept_gpus & changed

    for key, waste in division.waits.items():
        change = changes[key]
        assert waste.demand.requirement.bytes <= planned_bytes("MI300X", change.mode) <= waste.most
        together = [each for each, other in changes.items() if other.node == change.node]
        if all(each in division.waits for each in together):
            saved = {gpu_ for each in together for gpu_ in division.waits[each].gpus}
            assert len(change.after) <= len(saved)
