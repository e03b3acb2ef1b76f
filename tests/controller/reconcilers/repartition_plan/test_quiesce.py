from typing import Any

import pytest

from controller.reconcilers.repartition_plan.quiesce import PAUSE_SECONDS
from controller.repartition.phases import Phase
from controller.runtime.client.core import RESOURCE_CLAIMS
from tests.builders.gpu import bdf, device_name
from tests.builders.plan import plan
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, ORDER, Plane


async def quiescing() -> Plane:
    """A plan whose GPUs are drained, with the metrics exporter still running."""
    plane = Plane(approval="Auto")
    plane.plugins.exporter = "waits for the end of the metrics exporter"
    await plane.until("Quiescing")
    return plane


async def test_the_exporter_has_to_go_first() -> None:
    plane = await quiescing()
    assert (plane.status["phase"], plane.ordered) == ("Quiescing", None)
    assert plane.status["message"] == "waits for the end of the metrics exporter"
    plane.plugins.exporter = None
    await plane.until("Applying")
    assert "resume worker-0" not in plane.plugins.asked


@pytest.mark.parametrize(
    ("other", "goes"),
    [
        pytest.param(plan("another", phase="Applying"), False, id="one at work on the node"),
        pytest.param(plan("another", phase="Quiescing"), False, id="one as far, of a name before"),
        pytest.param(plan("zzz", phase="Quiescing"), True, id="one as far, of a name after"),
        pytest.param(plan("another", phase="Draining"), True, id="one not as far"),
        pytest.param(plan("another", "worker-1", phase="Applying"), True, id="one of another node"),
    ],
)
async def test_of_two_plans_that_have_begun_on_one_node_one_waits(other: dict[str, Any], goes: bool) -> None:
    plane = await quiescing()
    plane.plugins.exporter = None
    plane.put_plan(other)
    await plane.settle()
    assert (plane.status["phase"] == "Applying", plane.ordered is not None) == (goes, goes)
    assert goes or plane.status["message"] == "waits until plan another of the same node has ended"


@pytest.mark.parametrize("admin", [False, True], ids=["a claim", "a claim with adminAccess"])
async def test_whoever_comes_to_hold_a_gpu_sends_the_plan_back_to_draining(admin: bool) -> None:
    plane = await quiescing()
    plane.api.put(RESOURCE_CLAIMS, resource_claim("x", device=device_name(0, 0), admin=admin))
    await plane.until("Draining")
    plane.plugins.exporter = None
    await plane.settle()
    assert (plane.steps, plane.ordered) == (["Draining", "Quiescing", "Draining"], None)


async def test_processes_are_waited_for_and_named() -> None:
    plane = await quiescing()
    plane.plugins.exporter = None
    plane.processes(2)
    await plane.settle()
    assert plane.status["message"] == f"processes have GPUs open: {bdf(0)} (2); stop them on node worker-0"
    plane.processes(0)
    await plane.until("Applying")


async def test_a_plan_that_finds_no_quiet_ends_with_nothing_changed() -> None:
    plane = await quiescing()
    await plane.past_deadline(Phase.QUIESCING)
    await plane.settle()
    assert (plane.status["phase"], ORDER in plane.api.writes) == ("Failed", False)
    assert plane.plugins.asked[-1] == "resume worker-0"


async def test_nothing_is_ordered_of_an_agent_that_is_not_there() -> None:
    plane = await quiescing()
    plane.plugins.exporter = None
    plane.alive = False
    plane.fed.clock.tick(60)
    await plane.settle()
    assert plane.status["message"] == "waits for the agent of node worker-0, whose Lease is not renewed"
    plane.alive = True
    await plane.until("Applying")


async def test_a_plan_that_the_agent_found_busy_waits_a_moment_before_it_tries_again() -> None:
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    plane.agent("Failed", BEFORE, message="Busy: GPUs are held")
    await plane.settle()
    assert (plane.status["phase"], plane.ordered) == ("Quiescing", plane.ordered)
    plane.fed.clock.tick(PAUSE_SECONDS)
    await plane.settle()
    assert plane.ordered is not None
    assert (plane.status["phase"], plane.ordered["id"]) == ("Applying", "plan-plan-1-2")


async def test_a_layout_that_changed_meanwhile_ends_the_plan() -> None:
    plane = await quiescing()
    plane.report(AFTER)
    await plane.settle()
    assert plane.status["phase"] == "Failed"
