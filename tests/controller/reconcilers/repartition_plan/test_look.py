from typing import Any

import pytest

from controller.reconcilers.repartition_plan.look import STEPS
from controller.repartition.phases import DEADLINE_SECONDS, HARDWARE, TERMINAL, Phase
from controller.runtime.client.core import RESOURCE_CLAIMS
from tests.builders.gpu import device_name
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.repartition_plan.plane import Plane


def test_every_phase_under_way_has_its_step() -> None:
    assert set(STEPS) == set(Phase) - TERMINAL


async def in_phase(phase: Phase, *began: str) -> Plane:
    """A plan in a phase that it came to at these times; the GPUs are held, the agent has not begun."""
    plane = Plane(phase, approved=True)
    plane.driver()
    plane.api.put(RESOURCE_CLAIMS, resource_claim("x", device=device_name(0, 0)))
    steps: list[dict[str, Any]] = [{"name": phase, "startTime": time} for time in began]
    status = plane.stored()["status"] | {"steps": steps, "operationId": "ours"}
    plane.put_plan(plane.stored() | {"status": status})
    return plane


LONG_AGO, NOW = "2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.APPLYING, Phase.RELOADING, Phase.ROLLING_BACK])
async def test_a_phase_that_takes_too_long_expires(phase: Phase) -> None:
    plane = await in_phase(phase, LONG_AGO)
    await plane.step()
    assert plane.status["phase"] != phase
    assert f"{phase} took longer than {DEADLINE_SECONDS[phase]:.0f} s" in plane.status["message"]


@pytest.mark.parametrize(
    ("phase", "expires"),
    [(Phase.DRAINING, True), (Phase.ROLLING_BACK, True), (Phase.APPLYING, False), (Phase.RELOADING, False)],
)
async def test_a_phase_that_is_come_to_again_and_again_expires_too(phase: Phase, expires: bool) -> None:
    plane = await in_phase(phase, LONG_AGO, NOW)
    await plane.step()
    assert (plane.status["phase"] != phase) is expires


@pytest.mark.parametrize("phase", sorted(HARDWARE - {Phase.VERIFYING}))
async def test_a_pause_does_not_stop_what_runs(phase: Phase) -> None:
    plane = await in_phase(phase, LONG_AGO)
    plane.policy(paused=True)
    await plane.step()
    assert plane.status["phase"] != phase


async def test_steps_are_kept_from_the_first_however_often_a_plan_turns_round() -> None:
    plane = await in_phase(Phase.QUIESCING, *[NOW] * 64)
    first = {"name": "Draining", "startTime": LONG_AGO}
    steps = [first, *plane.status["steps"][1:]]
    plane.put_plan(plane.stored() | {"status": plane.status | {"steps": steps}})
    await plane.step()
    assert plane.status["phase"] == "Draining"
    assert (len(plane.steps), plane.steps[0], plane.steps[-1]) == (64, "Draining", "Draining")
