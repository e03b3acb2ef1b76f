import pytest

from controller.reconcilers.repartition_plan.apply import MOST_ATTEMPTS
from controller.repartition.phases import Phase
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.state.kinds import GPU_NODES
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.plan import plan
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.repartition_plan.plane import AFTER, BEFORE, NEIGHBOUR, OURS, Plane


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
    condition = plane.condition("Succeeded")
    assert condition is not None
    for text in (plane.status["message"], condition["message"]):
        assert text.startswith("Applying ended with ApplyFailed: the driver did not come back. On the way back: ")
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
    for text in (plane.status["message"], degraded["message"]):
        assert text.startswith(
            "Applying ended with ApplyFailed: the driver did not come back. On the way back: the rel"
        )
    assert (degraded["status"], degraded["reason"]) == ("True", "LayoutUnknown")
    assert f"amd-smi set --gpu {bdf(0)} --compute-partition SPX" in degraded["message"]
    assert (plane.ordered, plane.plugins.asked[-1]) == (None, "resume worker-0")


async def test_whoever_took_a_gpu_meanwhile_is_waited_for() -> None:
    plane = await going_back()
    plane.agent("Failed", AFTER, message="Busy: GPUs are held")
    plane.api.put(RESOURCE_CLAIMS, resource_claim("x", device=device_name(0, 0)))
    await plane.settle()
    assert plane.steps.count("RollingBack") == 1
    assert plane.status["message"] == f"waits to go back until {bdf(0)}/0 is idle"
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


def missing(*numbers: int) -> list[dict[str, str]]:
    return [{"bdf": bdf(number), "since": "2026-01-01T00:00:00Z"} for number in numbers]


async def going_back_without(number: int) -> Plane:
    """A plan of two GPUs, one of which is lost during the change."""
    layouts = {way: plan(numbers=(0, 1))["spec"][way] for way in ("from", "to")}
    plane = Plane("Pending", BEFORE, NEIGHBOUR, approval="Auto", **layouts)
    await plane.until("Applying")
    plane.agent("Failed", AFTER, message="LayoutError: GPU not on this node", missingGpus=missing(number))
    await plane.until("RollingBack")
    return plane


async def test_a_way_back_without_a_lost_gpu_restores_the_others_and_ends_with_the_remedy_for_that_one() -> None:
    plane = await going_back_without(1)
    assert plane.ordered is not None
    assert [gpu["bdf"] for way in ("from", "to") for gpu in plane.ordered[way]["gpus"]] == [bdf(0), bdf(0)]
    for _ in range(MOST_ATTEMPTS):
        assert plane.status["phase"] == "RollingBack"
        plane.agent("Succeeded", BEFORE, missingGpus=missing(1))
        plane.driver(BEFORE)
        await plane.settle()
    assert plane.status["phase"] == "Failed"
    assert not plane.ordered
    degraded = plane.condition("Degraded")
    assert degraded is not None
    assert (degraded["status"], degraded["reason"]) == ("True", "GPUMissing")
    assert f"The agent reads SPX/NPS1 of {bdf(0)}." in degraded["message"]
    assert "amd-smi set" not in degraded["message"]


async def test_a_lost_gpu_that_is_back_is_taken_back_by_the_next_attempt() -> None:
    plane = await going_back_without(1)
    plane.agent("Succeeded", BEFORE, gpu(1, "CPX/NPS1"))
    plane.driver(BEFORE, gpu(1, "CPX/NPS1"))
    await plane.settle()
    assert plane.ordered is not None
    assert [gpu["bdf"] for gpu in plane.ordered["to"]["gpus"]] == [bdf(0), bdf(1)]


async def test_while_the_next_attempt_is_waited_for_another_mode_is_no_former_layout() -> None:
    plane = await going_back()
    plane.agent("Succeeded", AFTER, ended="2026-01-01T00:00:00Z")
    plane.driver(AFTER)
    await plane.settle()
    assert (plane.status["phase"], plane.steps.count("RollingBack")) == ("RollingBack", 1)
    assert plane.status["message"].startswith("tries again 5 s after the last attempt")
