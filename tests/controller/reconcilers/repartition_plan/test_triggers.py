import pytest

from controller.reconcilers.repartition_plan.triggers import LEFTOVERS, plan_of_claim, plans_of_node
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan

ORDER = {"operation": {"id": "x"}}
CLOSING = {"steps": [{"name": "Closing", "startTime": "2026-01-01T00:00:00Z"}], "phase": "Failed"}


OWNER = plan()
OWNER["metadata"]["uid"] = "x"


def event(*, ordered: bool, initial: bool) -> StoreEvent[Manifest]:
    node = gpu_node()
    spec = node["spec"] | (ORDER if ordered else {})
    return StoreEvent(EventType.ADDED, "worker-0", None, node | {"spec": spec}, initial)


@pytest.mark.parametrize(
    ("plans", "ordered", "initial", "want"),
    [
        pytest.param([plan()], False, False, [Request("", "plan-1")], id="its plan"),
        pytest.param([plan(phase="Failed")], False, False, [], id="a plan that is over"),
        pytest.param([plan() | {"status": CLOSING}], False, False, [Request("", "plan-1")], id="one to tidy up"),
        pytest.param([plan(node="worker-1")], False, False, [], id="a plan of another node"),
        pytest.param([], True, False, [LEFTOVERS], id="an operation without a plan"),
        pytest.param([plan() | {"status": CLOSING}], True, False, [Request("", "plan-1"), LEFTOVERS], id="of another"),
        pytest.param([OWNER], True, False, [Request("", "plan-1")], id="an operation of its plan"),
        pytest.param([], False, True, [LEFTOVERS], id="the first sight of a node"),
    ],
)
def test_what_a_node_wakes(plans: list[Manifest], ordered: bool, initial: bool, want: list[Request]) -> None:
    fed = FedCluster()
    for each in plans:
        fed.put(fed.cluster.plans, each)
    assert plans_of_node(fed.cluster)(event(ordered=ordered, initial=initial)) == want


@pytest.mark.parametrize(
    ("old", "new", "wakes"),
    [
        pytest.param(claim(), None, True, id="it goes"),
        pytest.param(claim(), bound_claim(), True, id="it is placed"),
        pytest.param(claim(), claim(), False, id="it waits on"),
        pytest.param(bound_claim(), bound_claim(), False, id="it was placed before"),
        pytest.param(claim(uid="u2"), None, False, id="another claim of that name"),
    ],
)
def test_a_claim_that_needs_no_plan_any_more_wakes_it(old: Manifest, new: Manifest | None, wakes: bool) -> None:
    fed = FedCluster()
    fed.put(fed.cluster.plans, plan(claim_uid=claim()["metadata"]["uid"]))
    kind = EventType.DELETED if new is None else EventType.MODIFIED
    found = plan_of_claim(fed.cluster)(StoreEvent(kind, "team-a/aim-a", old, new))
    assert found == ([Request("", "plan-1")] if wakes else [])
