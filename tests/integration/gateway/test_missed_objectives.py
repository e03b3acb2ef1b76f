"""From slow answers to a wish for larger partitions: engines, gateway, status and operator, nothing made up between."""

import asyncio
import signal
from pathlib import Path

import pytest

from controller.qos.error_budget import LEAST_SLOW
from e2e.plane import Plane
from tests.integration.gateway.world import World, a_world
from tests.integration.operator.running import Object

pytestmark = pytest.mark.plane

HELD_SECONDS = 0.3


async def _says(world: World, reason: str) -> Object:
    """The service's status once SLOMet has that reason."""

    async def check() -> Object | None:
        found = await world.cluster.get(f"{world.cluster.services_path}/chat")
        status: Object = found.get("status", {})
        told = [each for each in status.get("conditions", ()) if (each["type"], each["reason"]) == ("SLOMet", reason)]
        return status if told else None

    found: Object = await world.cluster.eventually(f"SLOMet says {reason}", check)
    return found


@pytest.mark.timeout(240)
async def test_slow_answers_use_the_budget_up_and_wish_for_more(plane: Plane, tmp_path: Path) -> None:
    async with a_world(plane, tmp_path) as world:
        slo = [
            {"metric": "timeToFirstToken", "threshold": "100ms"},
            {"metric": "requestLatency", "percentile": "p50", "threshold": "1m"},
        ]
        await world.serve(qos={"slo": slo})
        key = await world.key()
        await world.answered(key)
        world.engines.hold = HELD_SECONDS
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2 * LEAST_SLOW):
                tasks.create_task(world.ask(key))
        await world.gateway.kill(signal.SIGTERM)  # it writes what it counted at its end, else within a minute

        status = await _says(world, "BudgetBurns")
        slow, kept = status["slo"]
        assert (slow["burning"], slow["windows"][0]["requests"] >= 2 * LEAST_SLOW) == ("14.4", True)
        assert (kept["attainment"], kept.get("burning"), kept["budgetLeft"]) == ("100", None, "100")
        assert status["resizeRequest"]["reason"] == "ErrorBudgetBurns"
        assert status["resizeRequest"]["wantComputeUnits"] == 76
