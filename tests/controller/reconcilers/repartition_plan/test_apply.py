from typing import Any

import pytest

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.repartition_plan.apply import MOST_ATTEMPTS, observe_operation
from controller.reconcilers.repartition_plan.operation import next_operation_id, owns
from controller.reconcilers.repartition_plan.rollback import observe_rollback
from controller.repartition.phases import Event, Phase
from tests.builders.cluster import FedCluster
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, OURS, Plane

BACK = f"{OURS}-rollback"
BUSY = "Busy: x"


def the_plan(phase: str, operation: str = OURS, *before: str) -> RepartitionPlan:
    """A plan that ordered `operation`, and came to the phases `before` until now."""
    made = plan(phase=phase)
    made["status"] |= {"operationId": operation, "steps": [{"name": name} for name in before]}
    return RepartitionPlan.model_validate(made)


def agent_says(*gpus: Any, **progress: Any) -> FedCluster:
    fed = FedCluster()
    made = gpu_node("worker-0", *(gpus or (BEFORE,)))
    fed.add_node("worker-0", BEFORE)
    fed.put(fed.cluster.gpu_nodes, made | {"status": made["status"] | {"operation": progress}})
    return fed


APPLYING = ("Applying",) * MOST_ATTEMPTS


@pytest.mark.parametrize(
    ("phase", "before", "progress", "want"),
    [
        pytest.param("Applying", (), {"id": "other", "phase": "Succeeded"}, None, id="another operation"),
        pytest.param("Applying", (), {"id": OURS, "phase": "Pending"}, None, id="not begun"),
        pytest.param("Applying", (), {"id": OURS, "phase": "Running", "step": "SetMemoryMode"}, None, id="under way"),
        pytest.param(
            "Applying", (), {"id": OURS, "phase": "Running", "step": "ReloadDriver 1/1"}, Event.RELOADS, id="reloads"
        ),
        pytest.param(
            "Reloading", (), {"id": OURS, "phase": "Running", "step": "ReloadDriver 1/1"}, None, id="still reloads"
        ),
        pytest.param("Applying", (), {"id": OURS, "phase": "Succeeded"}, Event.APPLIED, id="done"),
        pytest.param("Reloading", (), {"id": OURS, "phase": "Succeeded"}, Event.APPLIED, id="done after a reload"),
        pytest.param("Applying", (), {"id": OURS, "phase": "Failed", "message": "no"}, Event.APPLY_FAILED, id="failed"),
        pytest.param(
            "Applying", APPLYING[:1], {"id": OURS, "phase": "Failed", "message": BUSY}, Event.DISTURBED, id="busy"
        ),
        pytest.param(
            "Applying", APPLYING, {"id": OURS, "phase": "Failed", "message": BUSY}, Event.APPLY_FAILED, id="always busy"
        ),
        pytest.param(
            "Reloading", (), {"id": OURS, "phase": "Failed", "message": BUSY}, Event.APPLY_FAILED, id="busy half way"
        ),
    ],
)
def test_what_the_agent_reports(
    phase: str, before: tuple[str, ...], progress: dict[str, Any], want: Event | None
) -> None:
    assert observe_operation(agent_says(**progress).cluster, the_plan(phase, OURS, *before)).event is want


def test_progress_is_told_and_so_is_an_agent_that_is_not_there() -> None:
    fed = agent_says(id=OURS, phase="Running", step="SetMemoryMode", progressPercent=40)
    assert observe_operation(fed.cluster, the_plan("Applying")).message == "the agent is at SetMemoryMode, 40 %"
    fed.clock.tick(60)
    assert observe_operation(fed.cluster, the_plan("Applying")).message.endswith("its Lease is not renewed")
    assert observe_operation(fed.cluster, the_plan("Applying", "next")).message == (
        "waits for the agent, whose Lease is not renewed"
    )


@pytest.mark.parametrize("phase", ["Applying", "Reloading", "RollingBack"])
def test_an_operation_on_a_node_that_is_gone_ends_the_plan(phase: str) -> None:
    observe = observe_rollback if phase == "RollingBack" else observe_operation
    assert observe(FedCluster().cluster, the_plan(phase)).event is Event.NODE_GONE


def test_a_node_that_is_not_understood_is_not_gone() -> None:
    fed = agent_says(id=OURS, phase="Strange")
    assert observe_operation(fed.cluster, the_plan("Applying")).event is None


@pytest.mark.parametrize(
    ("phase", "before", "want"),
    [
        pytest.param(Phase.DRAINING, (), "old", id="nothing is ordered"),
        pytest.param(Phase.APPLYING, (), OURS, id="the way there"),
        pytest.param(Phase.APPLYING, ("Applying",), f"{OURS}-2", id="tried again"),
        pytest.param(Phase.VERIFYING, ("Applying",), "old", id="the recorded one stays"),
        pytest.param(Phase.ROLLING_BACK, ("Applying",), BACK, id="the way back"),
        pytest.param(Phase.ROLLING_BACK, ("RollingBack",), f"{BACK}-2", id="tried again back"),
    ],
)
def test_each_attempt_is_an_operation_of_its_own(phase: Phase, before: tuple[str, ...], want: str) -> None:
    found = next_operation_id(the_plan("Draining", "old", *before), phase)
    assert found == want
    assert owns(OURS, want) is (want != "old")


async def test_a_plan_that_the_agent_always_finds_busy_leaves_everything_as_it_was() -> None:
    plane = Plane(approval="Auto")
    for _ in range(MOST_ATTEMPTS):
        await plane.until("Applying")
        plane.agent("Failed", BEFORE, message="Busy: a process has the GPU open")
        await plane.settle()
        plane.fed.clock.tick(30)
    assert plane.status["phase"] == "RollingBack"
    plane.agent("Succeeded", BEFORE)
    plane.driver(BEFORE)
    await plane.until("RolledBack")
    assert plane.condition("Degraded") is None
