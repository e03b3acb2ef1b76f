"""Sets of victims where many more could leave than can be tried."""

from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.placement.steps import finished
from controller.placement.victim_sets import VictimSets
from tests.builders.demand import demand
from tests.builders.occupied import occupied


def fewest(*priorities: int, count: int = 1, trials: int = 1) -> list[int]:
    """The priorities of those who leave a node of one claim a priority, all of which may."""
    host, there = occupied("worker-0", *priorities)
    asked = demand("urgent", 40, priority=10, count=count)
    sets = VictimSets(ModelScheduler(), Snapshot([host]), asked, host, (), [(each,) for each in there])
    found, _ = finished(sets.fewest(trials, refused=False))
    assert found is not None
    return sorted(each.priority for each in found)


def test_where_too_many_sets_would_have_to_be_tried_the_most_important_are_spared_first() -> None:
    assert fewest(3, 1, 2, 5) == [1]
    assert fewest(3, 1, 2, 5, count=2) == [1, 2]
