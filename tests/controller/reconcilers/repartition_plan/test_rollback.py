import pytest

from api.v1beta1 import GPUNode, RepartitionPlan
from controller.reconcilers.repartition_plan.apply import MOST_ATTEMPTS
from controller.reconcilers.repartition_plan.rollback import remedy
from controller.repartition.phases import Phase
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.state.kinds import GPU_NODES
from tests.builders.gpu import bdf, device_name
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, OURS, Plane


async def going_back() -> Plane:
    """A plan whose change failed half way: the GPU is in another mode, and the way back is ordered."""
    plane = Plane(approval="Auto")
    await plane.until("Applying")
    plane.agent("Failed", AFTER, message="the driver did not come back")
    await plane.until("RollingBack")
    return plane


async def test_a_change_that_failed_is_taken_back() -> None:
    plane = await going_back()
    assert plane.ordered is not None
    assert plane.ordered["id"] == f"{OURS}-rollback"
    assert [each["mode"] for each in plane.ordered["to"]["gpus"]] == ["SPX/NPS1"]
    plane.agent("Succeeded", BEFORE)
    plane.driver(BEFORE)
    await plane.until("RolledBack")
    assert plane.told[-2:] == [("Warning", "RollingBack"), ("Warning", "RolledBack")]
    assert not plane.ordered
    assert plane.plugins.asked[-1] == "resume worker-0"


async def test_the_way_back_is_done_once_the_former_layout_is_advertised() -> None:
    plane = await going_back()
    plane.agent("Succeeded", BEFORE, ended="2026-01-01T00:01:40Z")
    plane.driver(AFTER)
    await plane.settle()
    assert plane.status["phase"] == "RollingBack"
    assert "restart worker-0 00:01:40" in plane.plugins.asked
    plane.driver(BEFORE)
    await plane.until("RolledBack")


async def test_a_way_back_that_failed_is_tried_again() -> None:
    plane = await going_back()
    plane.agent("Failed", AFTER, message="the reload timed out")
    await plane.settle()
    assert plane.ordered is not None
    assert (plane.ordered["id"], plane.steps[-2:]) == (f"{OURS}-rollback-2", ["RollingBack", "RollingBack"])
    plane.agent("Succeeded", BEFORE)
    plane.driver(BEFORE)
    await plane.until("RolledBack")


async def test_one_that_says_it_succeeded_and_reads_another_mode_is_tried_again_too() -> None:
    plane = await going_back()
    plane.agent("Succeeded", AFTER)
    await plane.settle()
    assert plane.steps.count("RollingBack") == 2


async def test_one_that_never_succeeds_says_what_a_person_has_to_do() -> None:
    plane = await going_back()
    for _ in range(MOST_ATTEMPTS):
        plane.agent("Failed", AFTER, message="the reload timed out")
        await plane.settle()
    assert plane.status["phase"] == "Failed"
    degraded = plane.condition("Degraded")
    assert degraded is not None
    assert (degraded["status"], degraded["reason"]) == ("True", "LayoutUnknown")
    assert f"amd-smi set --gpu {bdf(0)} --compute-partition SPX" in degraded["message"]
    assert (plane.ordered, plane.plugins.asked[-1]) == (None, "resume worker-0")


async def test_whoever_took_a_gpu_meanwhile_is_waited_for() -> None:
    plane = await going_back()
    plane.agent("Failed", AFTER, message="Busy: GPUs are held")
    plane.api.put(RESOURCE_CLAIMS, resource_claim("x", device=device_name(0, 0)))
    await plane.settle()
    assert plane.steps.count("RollingBack") == 1
    assert plane.status["message"] == f"waits to go back until {bdf(0)}/0 are idle"
    del plane.api.objects["resourceclaims", "team-a", "x"]
    await plane.settle()
    assert plane.steps.count("RollingBack") == 2


async def test_a_moment_passes_before_it_is_tried_again() -> None:
    plane = await going_back()
    plane.agent("Failed", AFTER, message="the reload timed out", ended="2026-01-01T00:00:00Z")
    await plane.settle()
    assert plane.steps.count("RollingBack") == 1
    plane.fed.clock.tick(5)
    await plane.settle()
    assert plane.steps.count("RollingBack") == 2
    plane.agent("Failed", AFTER, message="the reload timed out", ended="2026-01-01T00:00:05Z")
    plane.fed.clock.tick(119)
    await plane.settle()
    assert plane.steps.count("RollingBack") == 2
    plane.fed.clock.tick(1)
    await plane.settle()
    assert plane.steps.count("RollingBack") == 3


async def test_an_agent_that_never_answers_leaves_the_layout_unknown() -> None:
    plane = await going_back()
    await plane.past_deadline(Phase.ROLLING_BACK)
    assert plane.status["phase"] == "Failed"
    assert plane.condition("Degraded") is not None


@pytest.mark.parametrize("phase", ["Applying", "Reloading", "Verifying", "RollingBack"])
async def test_a_node_that_goes_away_ends_the_plan_with_the_remedy(phase: str) -> None:
    plane = Plane(phase)
    del plane.api.objects["gpunodes", "", "worker-0"]
    await plane.settle()
    degraded = plane.condition("Degraded")
    assert degraded is not None
    assert plane.status["phase"] == "Failed"
    assert "aim.amd.com/managed=true" in degraded["message"]
    assert plane.api.of(GPU_NODES) == []


@pytest.mark.parametrize(
    ("memory", "want"),
    [("NPS1", []), ("NPS4", ["amd-smi set --memory-partition NPS1 && modprobe -r amdgpu && modprobe amdgpu;"])],
    ids=["a compute mode", "a memory mode, with a reload"],
)
def test_the_remedy_names_the_commands_for_the_former_layout(memory: str, want: list[str]) -> None:
    made = plan(numbers=(0, 1))
    made["spec"]["to"] = {"gpus": [{"bdf": bdf(number), "mode": f"CPX/{memory}"} for number in (0, 1)]}
    node = GPUNode.model_validate(gpu_node("worker-0", AFTER))
    text = remedy(node, RepartitionPlan.model_validate(made))
    assert all(f"amd-smi set --gpu {bdf(number)} --compute-partition SPX;" in text for number in (0, 1))
    assert [line for line in want if line not in text] == []
    assert ("modprobe" in text) is bool(want)
