from typing import Any

import pytest

from controller.reconcilers.repartition_plan.controller import LOOK_AGAIN_SECONDS
from controller.reconcilers.repartition_plan.triggers import LEFTOVERS
from controller.runtime.reconcile import Result
from controller.state.kinds import GPU_NODES
from tests.builders.gpu import bdf
from tests.builders.plan import plan
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR, OURS, Plane

ENDED = "2026-01-01T00:01:40Z"


def abandoned(operation: str = "gone", **progress: Any) -> Plane:
    """A node with an operation of a plan that somebody has deleted; another plan waits for a person."""
    plane = Plane("AwaitingApproval")
    (node,) = plane.api.of(GPU_NODES)
    layout = {"gpus": [{"bdf": bdf(0), "mode": "SPX/NPS1"}]}
    spec = node["spec"] | {"operation": {"id": operation, "from": layout, "to": layout}}
    plane.api.put(GPU_NODES, node | {"spec": spec})
    if progress:
        plane.report(BEFORE, operation={"id": operation} | progress)
    return plane


async def leftovers(plane: Plane) -> Result:
    return await plane.step(LEFTOVERS.name)


@pytest.mark.parametrize(
    ("progress", "want"),
    [
        pytest.param({}, ["resume worker-0"], id="not begun"),
        pytest.param(
            {"phase": "Succeeded", "endTime": ENDED}, ["restart worker-0 00:01:40", "resume worker-0"], id="done"
        ),
        pytest.param(
            {"phase": "Failed", "endTime": ENDED}, ["restart worker-0 00:01:40", "resume worker-0"], id="failed"
        ),
    ],
)
async def test_an_operation_of_a_deleted_plan_is_made_good(progress: dict[str, Any], want: list[str]) -> None:
    plane = abandoned(**progress)
    assert await leftovers(plane) == Result()
    assert (plane.ordered, plane.plugins.asked) == (None, want)


async def test_the_agent_finishes_first() -> None:
    plane = abandoned(phase="Running")
    assert await leftovers(plane) == Result(requeue_after=LOOK_AGAIN_SECONDS)
    assert (plane.ordered is None, plane.plugins.asked) == (False, [])


async def test_plugins_that_are_not_back_yet_are_waited_for() -> None:
    plane = abandoned(phase="Succeeded", endTime=ENDED)
    plane.plugins.restarting = "not Ready yet"
    assert await leftovers(plane) == Result(requeue_after=LOOK_AGAIN_SECONDS)
    assert plane.ordered is not None


@pytest.mark.parametrize("operation", [OURS, f"{OURS}-rollback"])
async def test_an_operation_of_a_plan_that_is_there_is_left_alone(operation: str) -> None:
    plane = abandoned(operation)
    await leftovers(plane)
    assert plane.ordered is not None


async def test_one_whose_plan_the_informer_does_not_show_yet_is_left_alone() -> None:
    plane = abandoned("plan-late")
    plane.show()
    plane.put_plan(plan("late", "worker-9"))
    await plane.look(LEFTOVERS.name)
    assert plane.ordered is not None


async def test_nodes_that_a_plan_has_in_hand_are_left_alone() -> None:
    plane = abandoned()
    plane.put_plan(plan("other", phase="Quiescing"))
    await leftovers(plane)
    assert (plane.ordered is None, plane.plugins.asked) == (False, [])


async def test_a_plan_that_is_deleted_half_way_leaves_nothing_behind() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    del plane.api.objects["repartitionplans", "", "plan-1"]
    plane.agent("Succeeded", BEFORE, ended=ENDED)
    await plane.step()
    assert (plane.ordered, plane.plugins.asked[-1]) == (None, "resume worker-0")


async def test_no_plan_begins_while_the_agent_carries_out_what_a_deleted_one_ordered() -> None:
    plane = abandoned(phase="Running")
    plane.spec(approved=True)
    await plane.settle()
    assert plane.status["phase"] == "AwaitingApproval"
    assert "whose plan was deleted" in plane.status["message"]
    plane.report(BEFORE, operation={"id": "gone", "phase": "Succeeded", "endTime": ENDED})
    await leftovers(plane)
    await plane.until("Applying")


@pytest.mark.parametrize(("mode", "want"), [("CPX/NPS1", ["gone", None]), ("CPX/NPS4", ["gone", "gone"])])
async def test_gpus_that_a_deleted_plan_still_changes_are_in_hand(mode: str, want: list[str | None]) -> None:
    plane = abandoned(phase="Running")
    plane.report(BEFORE, NEIGHBOUR)
    plane.order(to=mode)
    plane.show()
    (node,) = plane.fed.cluster.snapshot().nodes
    assert [each.plan for each in node.gpus] == want
