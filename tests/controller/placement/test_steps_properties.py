"""Searches in steps: whoever searches meanwhile, on the same nodes and with the same scheduler, each finds its own."""

import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.placement.demand import Demand
from controller.placement.nearest import seeking_nearest
from controller.placement.occupant import Occupant
from controller.placement.preemption import Preemptor
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.placement.steps import Steps, finished
from controller.repartition.planner import proposing
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.occupant import occupant
from tests.builders.occupied import held_by
from tests.builders.policy import policy_view

PLACES = st.tuples(st.sampled_from(["SPX/NPS1", "DPX/NPS1", "CPX/NPS1"]), st.integers(0, 8))
FLEETS = st.lists(PLACES, min_size=1, max_size=3)
DEMANDS = st.builds(
    lambda size, priority, count: demand("wanted", size, priority=priority, count=count),
    st.sampled_from([10, 20, 90, 150]),
    st.integers(0, 3),
    st.integers(1, 2),
)


class Scene:
    """A node a place, with occupants of priorities 0 to 2."""

    def __init__(self, places: list[tuple[str, int]]) -> None:
        self.scheduler, self.everybody, nodes = ModelScheduler(), list[Occupant](), []
        for number, (mode, count) in enumerate(places):
            idle = gpu(0, mode)
            most = min(count, len(idle.partitions))
            there = [occupant(f"o{number}-{k}", f"w{number}", priority=k % 3) for k in range(most)]
            self.everybody += there
            nodes.append(node(f"w{number}", held_by(idle, *there), policy=policy_view()))
        self.base = Snapshot(nodes).base

    def searches(self, wanted: Demand) -> list[Callable[[], Steps[object]]]:
        return [
            lambda: self._deciding(wanted),
            lambda: Preemptor(self.scheduler, Snapshot(self.base), self.everybody).finding(wanted),
            lambda: Preemptor(self.scheduler, Snapshot(self.base), self.everybody).awaiting(wanted),
            lambda: seeking_nearest(Snapshot(self.base), wanted),
            lambda: proposing(Snapshot(self.base), wanted, ()),
        ]

    def _deciding(self, wanted: Demand) -> Steps[object]:
        snapshot = Snapshot(self.base)
        yield from self.scheduler.preparing(snapshot, wanted)
        return self.scheduler.schedule(snapshot, wanted)


@settings(max_examples=60)
@given(FLEETS, DEMANDS, st.lists(st.integers(0, 4), max_size=60))
def test_interleaved_searches_find_what_each_finds_alone(
    places: list[tuple[str, int]], wanted: Demand, turns: list[int]
) -> None:
    alone = [told(finished(search())) for search in Scene(places).searches(wanted)]
    together = [search() for search in Scene(places).searches(wanted)]
    found: dict[int, object] = {}
    for number in turns:
        if number not in found:
            try:
                next(together[number])
            except StopIteration as done:
                found[number] = done.value
    for number, search in enumerate(together):
        if number not in found:
            found[number] = finished(search)
    assert [told(found[number]) for number in range(len(together))] == alone


@given(FLEETS, FLEETS, DEMANDS, st.integers(0, 5), st.booleans())
def test_what_is_prepared_on_one_snapshot_does_not_mislead_on_another(
    places: list[tuple[str, int]], others: list[tuple[str, int]], wanted: Demand, steps: int, same: bool
) -> None:
    base, scheduler = Scene(places).base, ModelScheduler()
    here, there = Snapshot(base), Snapshot(base if same else Scene(others).base)
    preparing = scheduler.preparing(here, wanted)
    for _ in range(steps):
        next(preparing, None)
    assert told(scheduler.schedule(there, wanted)) == told(ModelScheduler().schedule(there, wanted))
    finished(preparing)
    assert told(scheduler.schedule(here, wanted)) == told(ModelScheduler().schedule(here, wanted))


def told(found: object) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(found))
