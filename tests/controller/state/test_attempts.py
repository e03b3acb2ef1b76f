from datetime import timedelta
from typing import Any

import pytest

from api.v1beta1 import RepartitionPlan
from controller.gpu.mode import Mode
from controller.repartition.attempts import Change
from controller.runtime.cache.store import Store
from controller.state.attempts import attempts_for
from controller.state.plans import Plans
from tests.builders.gpu import bdf
from tests.builders.plan import plan
from tests.fakes.clock import START

CPX = Mode.parse("CPX/NPS1")
CHANGE = Change("worker-0", ((bdf(0), CPX),))


def tried(**fields: Any) -> int:
    """How often the change counts as tried for the claim `uid-a`."""
    table, store = Plans(RepartitionPlan.model_validate), Store()
    for event in store.apply(plan("p", **{"claim_uid": "uid-a"} | fields)):
        table.take(event)
    return attempts_for(table, "uid-a", START).of(CHANGE)


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        pytest.param({"phase": "Failed"}, 1, id="failed"),
        pytest.param({"phase": "RolledBack"}, 1, id="rolled back"),
        pytest.param({"phase": "Succeeded"}, 1, id="made, and the claim still asks"),
        pytest.param({"phase": "Applying"}, 0, id="under way"),
        pytest.param({"phase": "Failed", "claim_uid": "uid-b"}, 0, id="for another claim"),
        pytest.param({"phase": "Failed", "claim_uid": None}, 0, id="for no claim"),
        pytest.param({"phase": "Failed", "dry_run": True}, 0, id="a dry run"),
        pytest.param({"phase": "Failed", "node": "worker-1"}, 0, id="another node"),
        pytest.param({"phase": "Failed", "numbers": (0, 1)}, 0, id="more GPUs"),
    ],
)
def test_plans_that_ended_count_as_tried(fields: dict[str, Any], want: int) -> None:
    assert tried(**{"applied_until": "2025-12-31T23:55:00Z"} | fields) == want


def test_the_rest_begins_when_the_plan_ended() -> None:
    table, store = Plans(RepartitionPlan.model_validate), Store()
    for event in store.apply(plan("p", claim_uid="uid-a", phase="Failed", applied_until="2025-12-31T23:55:00Z")):
        table.take(event)
    assert attempts_for(table, "uid-a", START).rests(CHANGE)
    assert not attempts_for(table, "uid-a", START + timedelta(minutes=5)).rests(CHANGE)


def test_a_plan_that_ended_before_its_first_step_counts_from_its_creation() -> None:
    made = plan("p", claim_uid="uid-a", phase="Failed")
    made["metadata"]["creationTimestamp"] = "2025-12-31T23:59:00Z"
    table, store = Plans(RepartitionPlan.model_validate), Store()
    for event in store.apply(made):
        table.take(event)
    assert attempts_for(table, "uid-a", START).rests(CHANGE)
