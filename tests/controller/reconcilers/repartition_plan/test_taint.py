from typing import Any

import pytest

from controller.reconcilers.repartition_plan.controller import LOOK_AGAIN_SECONDS, SOON_SECONDS
from controller.reconcilers.repartition_plan.triggers import LEFTOVERS
from controller.repartition.phases import Phase
from controller.runtime.client.core import NODES
from controller.runtime.client.errors import Forbidden
from controller.runtime.reconcile import Result
from controller.state.kinds import GPU_SHARING_POLICIES, REPARTITION_PLANS
from controller.translate.node_taint import TAINT_KEY
from tests.builders.node import node_object
from tests.builders.plan import plan
from tests.controller.reconcilers.gpu_partition_claim.api import MOVED_ON, refusing
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, Plane

OURS = {"key": TAINT_KEY, "value": "plan-1", "effect": "NoSchedule"}
OTHER = {"key": "dedicated", "value": "x", "effect": "PreferNoSchedule"}
NO = Forbidden(403, "Forbidden", "a guard of the node says no")


def tainting(phase: str = "Pending", *, taint: bool = True, left: bool = False, **spec: Any) -> Plane:
    """A node that somebody else tainted, a policy that wants a taint, a plan in a phase; `left`: ours is there."""
    plane = Plane(phase, **{"approved": True} | spec)
    plane.api.put(NODES, node_object(taints=[OTHER, *([OURS] if left else [])]))
    plane.policy(repartition={"taintNode": taint})
    plane.driver(BEFORE)
    return plane


def taints(plane: Plane) -> list[dict[str, str]]:
    (node,) = plane.api.of(NODES)
    found: list[dict[str, str]] = node["spec"].get("taints", [])
    assert OTHER in found
    return [taint for taint in found if taint != OTHER]


async def reloading(plane: Plane) -> None:
    """The plan is in Applying, its node tainted, and the agent has changed the modes."""
    await plane.until("Applying")
    assert taints(plane) == [OURS]
    plane.agent("Succeeded", AFTER)
    plane.driver(AFTER)


async def test_the_taint_comes_once_the_step_is_recorded_and_goes_before_plugins_restart() -> None:
    plane = tainting()
    await plane.step()
    assert (plane.status["phase"], taints(plane)) == ("Draining", [])
    await reloading(plane)
    await plane.step()
    assert (plane.status["phase"], taints(plane), plane.plugins.asked[-1]) == ("Verifying", [OURS], "pause worker-0")
    before = len(plane.api.writes)
    await plane.step()
    assert plane.api.writes[before] == "patch nodes"
    assert plane.plugins.asked[-1].startswith("restart worker-0")
    assert taints(plane) == []
    await plane.until("Succeeded")
    assert taints(plane) == []


async def test_a_way_back_is_tainted_until_the_agent_has_gone_it() -> None:
    plane = tainting()
    await reloading(plane)
    plane.plugins.restarting = "not Ready"
    await plane.until("Verifying")
    assert taints(plane) == []
    plane.spec(rollback=True)
    await plane.until("RollingBack")
    assert taints(plane) == [OURS]
    plane.agent("Succeeded", BEFORE)
    plane.driver(BEFORE)
    await plane.step()
    assert taints(plane) == []
    assert plane.status["phase"] == "RollingBack"
    plane.plugins.restarting = None
    await plane.until("RolledBack")
    assert taints(plane) == []


@pytest.mark.parametrize("phase", ["Succeeded", "RolledBack", "Failed"])
@pytest.mark.parametrize("shown", [True, False])
async def test_every_end_takes_it_off_whatever_the_informer_shows(phase: str, shown: bool) -> None:
    plane = tainting(phase, left=shown)
    stored = plane.stored()
    closing = [{"name": "Closing", "startTime": "2026-01-01T00:00:00Z"}]
    plane.put_plan(stored | {"status": stored["status"] | {"steps": closing}})
    plane.show()
    plane.api.put(NODES, node_object(taints=[OTHER, OURS]))
    await plane.look()
    assert (taints(plane), plane.status["steps"][-1]["result"]) == ([], "Done")


async def test_an_end_is_not_tidied_up_before_the_taint_is_off() -> None:
    plane = tainting("Failed", left=True)
    stored = plane.stored()
    closing = [{"name": "Closing", "startTime": "2026-01-01T00:00:00Z"}]
    plane.put_plan(stored | {"status": stored["status"] | {"steps": closing}})
    plane.api.before_write = refusing("patch nodes", MOVED_ON, times=3)
    assert await plane.step() == Result(requeue_after=SOON_SECONDS)
    assert "endTime" not in plane.status["steps"][-1]
    await plane.settle()
    assert (taints(plane), plane.status["steps"][-1]["result"]) == ([], "Done")


@pytest.mark.parametrize(
    ("phase", "spec"),
    [
        pytest.param("Pending", {"approved": False}, id="a plan that waits for a person"),
        pytest.param("Pending", {"dryRun": True}, id="a dry run"),
        pytest.param("Draining", {"dryRun": True}, id="a dry run that says it drains"),
    ],
)
async def test_a_plan_that_has_not_begun_taints_nothing(phase: str, spec: dict[str, Any]) -> None:
    plane = tainting(phase, **spec)
    await plane.settle()
    assert taints(plane) == []


@pytest.mark.parametrize("phase", ["Draining", "Quiescing", "Applying", "Reloading"])
async def test_a_policy_that_does_not_want_it_any_more_has_it_taken_off(phase: str) -> None:
    plane = tainting(phase, left=True)
    await plane.step()
    assert taints(plane) == [OURS]
    plane.policy(repartition={"taintNode": False})
    await plane.step()
    assert taints(plane) == []


async def test_without_a_policy_there_is_none() -> None:
    plane = tainting("Quiescing", left=True)
    del plane.api.objects[GPU_SHARING_POLICIES.plural, "", "shared"]
    await plane.step()
    assert taints(plane) == []


@pytest.mark.parametrize(
    ("phase", "want"), [("Draining", []), ("Quiescing", []), ("Applying", [OURS]), ("Reloading", [OURS])]
)
async def test_a_pause_lets_others_come_unless_the_hardware_is_being_changed(
    phase: str, want: list[dict[str, str]]
) -> None:
    plane = tainting(phase, left=True)
    plane.policy(paused=True, repartition={"taintNode": True})
    await plane.step()
    assert taints(plane) == want


@pytest.mark.parametrize("phase", ["Draining", "Quiescing", "Applying", "Reloading", "RollingBack"])
async def test_the_deleted_plans_taint_goes_and_that_of_a_plan_under_way_stays(phase: str) -> None:
    plane = tainting(phase, left=True)
    await plane.step(LEFTOVERS.name)
    assert taints(plane) == [OURS]
    del plane.api.objects[REPARTITION_PLANS.plural, "", "plan-1"]
    await plane.step()
    assert taints(plane) == []


async def test_one_of_two_plans_that_have_begun_ends_and_the_taint_becomes_the_others() -> None:
    plane = tainting("Quiescing", left=True)
    second = plan("plan-2", phase="Quiescing")
    plane.put_plan(second | {"spec": second["spec"] | {"approved": True}})
    await plane.step("plan-2")
    assert taints(plane) == [OURS]
    del plane.api.objects[REPARTITION_PLANS.plural, "", "plan-1"]
    await plane.step("plan-2")
    assert taints(plane) == [OURS | {"value": "plan-2"}]


async def test_no_mode_changes_on_a_node_that_cannot_be_tainted_and_the_deadline_holds() -> None:
    plane = tainting()
    plane.api.before_write = refusing("patch nodes", NO, times=100)
    for _ in range(6):
        result = await plane.step()
    assert (plane.status["phase"], result) == ("Quiescing", Result(requeue_after=LOOK_AGAIN_SECONDS))
    assert "a guard of the node says no" in plane.status["message"]
    await plane.past_deadline(Phase.QUIESCING)
    assert plane.status["phase"] == "Failed"
    assert plane.ordered is None


async def test_a_way_back_does_not_wait_for_a_taint() -> None:
    plane = tainting()
    await reloading(plane)
    plane.plugins.restarting = "not Ready"
    await plane.until("Verifying")
    plane.spec(rollback=True)
    plane.api.before_write = refusing("patch nodes", NO, times=100)
    await plane.until("RollingBack")
    assert plane.ordered is not None
    assert (plane.ordered["id"], taints(plane)) == (plane.status["operationId"], [])


async def test_plugins_do_not_restart_while_the_taint_cannot_be_taken_off() -> None:
    plane = tainting()
    await reloading(plane)
    await plane.step()
    plane.api.before_write = refusing("patch nodes", NO)
    await plane.step()
    assert "a guard of the node says no" in plane.status["message"]
    assert plane.plugins.asked[-1] == "pause worker-0"
    await plane.until("Succeeded")
    assert taints(plane) == []


async def test_an_operator_that_was_killed_before_its_write_taints_at_the_next_look() -> None:
    plane = tainting("Quiescing")
    plane.restart()
    await plane.step()
    assert taints(plane) == [OURS]
