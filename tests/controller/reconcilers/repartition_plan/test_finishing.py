import pytest

from controller.reconcilers.repartition_plan.controller import SOON_SECONDS
from controller.repartition.phases import DEADLINE_SECONDS, Phase
from controller.runtime.client.core import NODES
from controller.runtime.reconcile import Result
from controller.state.heartbeats import FRESH_SECONDS
from controller.translate.node_taint import TAINT_KEY
from tests.builders.node import node_object
from tests.builders.plan import plan
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, Plane


async def expired(report: str | None = "Running", *, alive: bool = True) -> Plane:
    """A way back that took too long; the agent reports this of it just after the plan ended."""
    plane = Plane(approved=True)
    plane.api.put(NODES, node_object())
    plane.policy(repartition={"taintNode": True})
    plane.driver(BEFORE)
    await plane.until("Applying")
    plane.agent("Succeeded", AFTER)
    plane.driver(AFTER)
    plane.spec(rollback=True)
    await plane.until("RollingBack")
    plane.alive = alive
    await plane.past_deadline(Phase.ROLLING_BACK)
    assert plane.status["phase"] == "Failed", plane.status["message"]
    if report is not None:
        plane.agent(report, AFTER)
    return plane


def tainted(plane: Plane) -> bool:
    (node,) = plane.api.of(NODES)
    return any(taint["key"] == TAINT_KEY for taint in node["spec"].get("taints", ()))


def open_steps(plane: Plane) -> list[str]:
    return [step["name"] for step in plane.status["steps"] if "endTime" not in step]


@pytest.mark.parametrize("report", ["Pending", "Running"])
async def test_an_expired_plan_is_not_tidied_up_before_its_agent_is_done(report: str) -> None:
    plane = await expired(report)
    assert await plane.settle() == Result(requeue_after=SOON_SECONDS)
    assert (plane.ordered is None, open_steps(plane), tainted(plane)) == (False, ["Closing"], True)
    assert "the agent of node worker-0 still carries out" in plane.status["steps"][-1]["message"]


async def test_another_plan_of_the_node_begins_only_then() -> None:
    plane = await expired()
    made = plan("next")
    plane.put_plan(made | {"spec": made["spec"] | {"approved": True}})
    await plane.settle("next")
    assert plane.stored("next")["status"]["phase"] == "Pending"
    assert "plan-1 of the same node" in plane.stored("next")["status"]["message"]


@pytest.mark.parametrize("report", ["Succeeded", "Failed"])
async def test_what_it_changed_late_is_advertised_before_the_end(report: str) -> None:
    plane = await expired()
    await plane.settle()
    plane.agent(report, BEFORE, ended=f"{plane.fed.clock.now():%Y-%m-%dT%H:%M:%SZ}")
    plane.plugins.restarting = "not Ready"
    await plane.settle()
    assert (plane.ordered is None, open_steps(plane), tainted(plane)) == (False, ["Closing"], False)
    assert plane.status["steps"][-1]["message"] == "not Ready"
    plane.plugins.restarting = None
    await plane.settle()
    assert "message" not in plane.status["steps"][-1]
    assert (plane.ordered, open_steps(plane), plane.plugins.asked[-1]) == (None, [], "resume worker-0")


async def test_plugins_that_never_come_back_are_not_waited_for_for_ever() -> None:
    plane = await expired()
    plane.agent("Succeeded", BEFORE, ended=f"{plane.fed.clock.now():%Y-%m-%dT%H:%M:%SZ}")
    plane.plugins.restarting = "not Ready"
    await plane.settle()
    plane.fed.clock.tick((DEADLINE_SECONDS[Phase.VERIFYING] or 0) + 2)
    await plane.settle()
    assert (plane.ordered, open_steps(plane)) == (None, [])


async def test_an_agent_that_is_not_heard_of_is_not_waited_for_for_ever() -> None:
    plane = await expired(alive=False)
    await plane.settle()
    assert open_steps(plane) == ["Closing"]
    plane.fed.clock.tick(FRESH_SECONDS + 1)
    await plane.settle()
    assert (plane.ordered, open_steps(plane), tainted(plane)) == (None, [], False)


async def test_an_operation_that_was_not_begun_is_taken_back() -> None:
    plane = await expired(None)
    await plane.settle()
    assert (plane.ordered, open_steps(plane), tainted(plane)) == (None, [], False)


async def test_one_that_is_begun_just_then_is_not() -> None:
    plane = await expired(None)
    plane.show()
    plane.agent("Running", AFTER)
    assert await plane.look() == Result(requeue_after=SOON_SECONDS)
    assert (plane.ordered is None, open_steps(plane)) == (False, ["Closing"])
