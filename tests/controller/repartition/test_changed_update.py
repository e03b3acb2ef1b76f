"""An update by mode changes goes on only where they give every new pod a place."""

from functools import partial

import pytest

from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Gpu, Holder, Snapshot
from controller.placement.update import Update, Way, ways_of
from controller.repartition.changed_update import leads_to_end
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import Proposal, propose
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.policy import policy_view

WHOLE = demand("the next revision", 150)
OLD = (Holder("ours", "team-a/a"), Holder("ours", "team-a/b"))


def changes(snapshot: Snapshot, asking: Demand) -> Proposal | Refused:
    return propose(snapshot, asking, ())


def leads(way: Way, *gpus: Gpu, pods: int = 2, **policy: str) -> bool:
    snapshot = Snapshot([node("worker-0", *gpus, policy=policy_view(**policy))])
    update = Update(WHOLE, tuple(each.name for each in OLD), pods)
    before = Snapshot(snapshot.nodes).nodes
    found = leads_to_end(ModelScheduler(), snapshot, update, ways_of(update)[way], partial(changes, asking=WHOLE))
    assert snapshot.nodes == before
    return found


@pytest.mark.parametrize(
    ("way", "gpus", "want"),
    [
        pytest.param(
            Way.RECREATE, (gpu(0, "DPX/NPS1", holders=dict(enumerate(OLD))),), False, id="one GPU for two new pods"
        ),
        pytest.param(
            Way.RECREATE,
            (gpu(0, "DPX/NPS1", holders=dict(enumerate(OLD))), gpu(1, "SPX/NPS1")),
            True,
            id="and another one that is whole",
        ),
        pytest.param(
            Way.ONE_BY_ONE,
            (gpu(0, "DPX/NPS1", holders={0: OLD[0]}), gpu(1, "DPX/NPS1", holders={0: OLD[1]})),
            True,
            id="a GPU each, one after the other",
        ),
        pytest.param(
            Way.ONE_BY_ONE,
            (
                gpu(0, "DPX/NPS1", holders={0: OLD[0]}),
                gpu(1, "DPX/NPS1", holders={0: OLD[1], 1: Holder("foreign", "x")}),
            ),
            False,
            id="the second one's GPU has a stranger on it",
        ),
    ],
)
def test_every_new_pod_has_to_find_its_place(way: Way, gpus: tuple[Gpu, ...], want: bool) -> None:
    assert leads(way, *gpus) is want


def test_one_pod_for_two_is_enough_on_one_gpu() -> None:
    assert leads(Way.RECREATE, gpu(0, "DPX/NPS1", holders=dict(enumerate(OLD))), pods=1)


def test_a_change_that_waits_for_a_person_leads_nowhere() -> None:
    assert not leads(Way.RECREATE, gpu(0, "DPX/NPS1", holders=dict(enumerate(OLD))), pods=1, approval="Manual")
