import pytest

from controller.reconcilers.repartition_plan.controller import LOOK_AGAIN_SECONDS, REPORT_AGAIN_SECONDS, SOON_SECONDS
from controller.repartition.phases import TERMINAL, Phase
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.client.errors import Conflict
from controller.runtime.reconcile import Result
from controller.state.kinds import GPU_NODES, GPU_SHARING_POLICIES
from tests.builders.gpu import device_name
from tests.builders.gpu_node import gpu_node
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.gpu_partition_claim.api import NOT_ANSWERED, refusing
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, ORDER, OURS, STATUS_WRITE, Plane


async def changed(plane: Plane) -> None:
    """The agent does what is ordered, the driver advertises it, and the plan sees it."""
    await plane.until("Applying")
    plane.agent("Succeeded", AFTER)
    plane.driver(AFTER)
    await plane.until("Succeeded")


async def test_a_plan_that_may_run_goes_all_the_way() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    assert plane.ordered is not None
    assert plane.ordered["id"] == OURS
    assert [each["mode"] for each in plane.ordered["to"]["gpus"]] == ["CPX/NPS1"]
    await changed(plane)
    assert plane.steps == ["Draining", "Quiescing", "Applying", "Verifying", "Closing"]
    assert [step["result"] for step in plane.status["steps"]] == ["Idle", "Quiet", "Applied", "Verified", "Done"]
    assert all("startTime" in step and "endTime" in step for step in plane.status["steps"])
    assert plane.status["summary"] == {"from": "1xSPX/NPS1", "to": "1xCPX/NPS1"}
    assert plane.counted == ["Succeeded"]


async def test_a_driver_reload_is_a_phase_of_its_own() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    plane.agent("Running", step="ReloadDriver 1/1")
    await plane.until("Reloading")
    plane.agent("Running", step="SetComputeMode")
    await plane.step()
    assert plane.status["phase"] == "Reloading"
    await changed_after_reload(plane)
    assert plane.steps == ["Draining", "Quiescing", "Applying", "Reloading", "Verifying", "Closing"]


async def changed_after_reload(plane: Plane) -> None:
    plane.agent("Succeeded", AFTER)
    plane.driver(AFTER)
    await plane.until("Succeeded")


async def test_each_step_stands_in_the_status_before_it_acts() -> None:
    plane = Plane(approval="Auto")
    await plane.settle()
    assert plane.api.writes[:3] == [STATUS_WRITE] * 3
    assert plane.api.writes.index(ORDER) == 3
    assert plane.steps[-1] == "Applying"


async def test_the_order_is_given_once_and_taken_back_at_the_end() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    for _ in range(3):
        await plane.step()
    assert plane.api.writes.count(ORDER) == 1
    plane.agent("Succeeded", AFTER)
    plane.driver(AFTER)
    await plane.until("Succeeded")
    assert plane.ordered is None


# Crashes: a write that is not made, or whose answer is lost, and another operator that takes over.


@pytest.mark.parametrize("lost", range(1, 9))
async def test_an_operator_that_dies_after_any_write_is_made_up_for(lost: int) -> None:
    plane = Plane(approval="Auto")
    plane.api.lost_answer = lost
    await survived(plane)
    assert (plane.steps[0], plane.steps[-1], plane.ordered) == ("Draining", "Closing", None)
    assert plane.plugins.asked[-1] == "resume worker-0"


@pytest.mark.parametrize("number", range(8))
async def test_an_operator_that_dies_before_any_write_is_made_up_for(number: int) -> None:
    plane = Plane(approval="Auto")
    writes = iter(range(100))

    def die(_: str) -> None:
        if next(writes) == number:
            raise NOT_ANSWERED

    plane.api.before_write = die
    await survived(plane)
    assert (plane.status["phase"], plane.ordered) == ("Succeeded", None)
    assert plane.status["steps"][-1]["result"] == "Done"


async def survived(plane: Plane) -> None:
    """The plan goes all the way though an operator dies once; a new one takes over."""
    for _ in range(20):
        if plane.status["phase"] == "Succeeded" and plane.status["steps"][-1].get("endTime"):
            return
        if plane.ordered is not None:
            plane.agent("Succeeded", AFTER)
            plane.driver(AFTER)
        try:
            await plane.step()
        except type(NOT_ANSWERED):
            plane.restart()
    assert plane.status["phase"] == "Succeeded", plane.status["message"]


async def test_an_order_whose_write_was_lost_is_given_again() -> None:
    plane = Plane(approval="Auto")
    plane.api.before_write = refusing(ORDER, NOT_ANSWERED)
    with pytest.raises(type(NOT_ANSWERED)):
        await plane.settle()
    assert (plane.status["phase"], plane.ordered) == ("Applying", None)
    plane.restart()
    await plane.settle()
    assert plane.ordered is not None
    assert plane.ordered["id"] == OURS


async def test_an_operator_that_sees_a_plan_of_some_time_ago_orders_nothing() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    old = plane.stored()
    plane.spec(rollback=True)
    plane.agent("Running")
    await plane.settle()
    assert plane.ordered is not None
    assert plane.ordered["id"] == f"{OURS}-rollback"
    plane.restart()
    plane.fed.listed(plane.fed.cluster.plans, old)
    plane.fed.listed(plane.fed.cluster.gpu_nodes, *plane.api.of(GPU_NODES))
    await plane.look()
    assert plane.ordered["id"] == f"{OURS}-rollback"


async def test_what_the_informer_shows_late_is_not_acted_upon() -> None:
    plane = Plane()
    await plane.step()
    writes = list(plane.api.writes)
    assert await plane.look() == Result(requeue_after=SOON_SECONDS)
    assert plane.api.writes == writes


# Waiting.


async def test_a_plan_waits_for_its_approval() -> None:
    plane = Plane()
    await plane.until("AwaitingApproval")
    settled = len(plane.api.writes)
    for _ in range(3):
        assert await plane.step() == Result(requeue_after=REPORT_AGAIN_SECONDS)
    assert len(plane.api.writes) == settled
    plane.spec(approved=True)
    await plane.settle()
    assert plane.steps[:2] == ["AwaitingApproval", "Draining"]


async def test_a_held_gpu_is_waited_for_until_the_deadline() -> None:
    plane = Plane(approval="Auto")
    plane.api.put(RESOURCE_CLAIMS, resource_claim("x", device=device_name(0, 0)))
    await plane.until("Draining")
    assert await plane.step() == Result(requeue_after=LOOK_AGAIN_SECONDS)
    await plane.past_deadline(Phase.DRAINING)
    assert plane.status["phase"] == "Failed"
    assert "Draining took longer than 600 s: waits until" in plane.status["message"]
    assert (ORDER in plane.api.writes, plane.condition("Degraded")) == (False, None)


async def test_an_agent_that_does_not_answer_in_time_is_told_to_go_back() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    await plane.past_deadline(Phase.APPLYING)
    assert plane.status["phase"] == "RollingBack"


async def test_a_change_that_ended_well_while_nobody_looked_has_succeeded() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    plane.agent("Succeeded", AFTER)
    plane.driver(AFTER)
    plane.restart()
    await plane.past_deadline(Phase.APPLYING)
    await plane.until("Succeeded")


@pytest.mark.parametrize("paused", ["node", "policy"])
@pytest.mark.parametrize("phase", ["Pending", "Draining", "Quiescing"])
async def test_a_paused_node_stops_a_plan_before_the_hardware(phase: str, paused: str) -> None:
    plane = Plane(phase, approval="Auto")
    if paused == "node":
        plane.api.put(GPU_NODES, gpu_node("worker-0", BEFORE, paused=True))
    else:
        plane.api.put(GPU_SHARING_POLICIES, policy_object(paused=True, validatedOnly=False))
    for _ in range(3):
        await plane.step()
    assert plane.status["phase"] == phase
    assert "paused" in plane.status["message"]


async def test_an_unchanged_message_is_not_written_again() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    await plane.step()
    settled = list(plane.api.writes)
    for _ in range(3):
        await plane.step()
    assert plane.api.writes == settled


async def test_a_plan_that_moved_on_is_looked_at_again_soon() -> None:
    plane = Plane(approval="Auto")
    plane.api.before_write = refusing(STATUS_WRITE, Conflict(409, "Conflict", "the object has been modified"))
    assert await plane.step() == Result(requeue_after=SOON_SECONDS)
    assert (plane.told, plane.counted) == ([], [])
    await plane.until("Applying")


@pytest.mark.parametrize("phase", sorted(TERMINAL))
async def test_a_plan_that_is_over_is_left_alone(phase: Phase) -> None:
    plane = Plane(phase)
    assert await plane.step() == Result()
    assert (plane.api.writes, plane.plugins.asked) == ([], [])


# Dry run and cancelling.


async def test_a_dry_run_reports_what_approval_would_show_and_changes_nothing() -> None:
    shown, rehearsed = Plane(), Plane(dryRun=True)
    for plane in (shown, rehearsed):
        plane.serves("web-1")
        plane.policy()
        await plane.settle()
    assert (rehearsed.status["phase"], rehearsed.ordered, rehearsed.plugins.asked) == ("Pending", None, [])
    assert rehearsed.status["message"].startswith("dry run, nothing is changed:")
    assert "in use" in rehearsed.status["message"]
    for field in ("affectedPods", "before", "after", "summary"):
        assert rehearsed.status[field] == shown.status[field], field
    assert set(rehearsed.api.writes) == {STATUS_WRITE}


@pytest.mark.parametrize("phase", ["Pending", "AwaitingApproval", "Draining", "Quiescing"])
async def test_a_plan_that_is_cancelled_before_the_hardware_has_changed_nothing(phase: str) -> None:
    plane = Plane(phase, rollback=True)
    await plane.step()
    assert plane.status["phase"] == "Failed"
    assert plane.status["message"] == "Cancelled by spec.rollback: nothing was changed"
    assert plane.ordered is None


@pytest.mark.parametrize("phase", ["Applying", "Reloading", "Verifying"])
async def test_one_that_is_cancelled_later_goes_back(phase: str) -> None:
    plane = Plane(phase, rollback=True)
    await plane.until("RollingBack")
    assert plane.ordered is not None
    assert [each["mode"] for each in plane.ordered["to"]["gpus"]] == ["SPX/NPS1"]
