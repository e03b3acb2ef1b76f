"""Scenes of mode changes: one waits for a person, one hangs, one is taken back, one has no way back."""

from typing import Any

from tests.integration.metrics.judgement import Expected
from tests.integration.metrics.objects import plan
from tests.integration.metrics.places import AIM, BUDGETS, PLANS
from tests.integration.metrics.stage import Stage
from tests.integration.operator.running import Object


async def approval(stage: Stage) -> None:
    """A plan waits for a person, who approves it: the mode changes."""
    alert = Expected("AimRepartitionAwaitsApproval")
    async with stage.scene("a plan waits for approval", alert):
        name = await make_plan(stage, "approved", "CPX/NPS1", approval="Manual")
        await stage.fire(alert)
        await stage.patch(f"{PLANS}/{name}", {"spec": {"approved": True}})
        await ends(stage, name, "Succeeded")


async def stuck(stage: Stage) -> None:
    """A plan may evict nobody, for longer than it may wait; then it may."""
    alert = Expected("AimRepartitionStuck", {"phase": "Draining"})
    async with stage.scene("a plan hangs", alert):
        selector = {"matchLabels": {"app": "stays"}}
        await stage.create(
            BUDGETS, {"metadata": {"name": "stays"}, "spec": {"maxUnavailable": 0, "selector": selector}}
        )
        name = await make_plan(stage, "drains", "QPX/NPS1", approved=True)
        await stage.fire(alert)
        await stage.delete(f"{BUDGETS}/stays")
        await ends(stage, name, "Succeeded")


async def unreadable(stage: Stage) -> None:
    """A driver is unloaded for a change of memory modes and does not come back for a while."""
    node = {"node": "unreadable"}
    expected = Expected("AimGpuHardwareUnreadable", node), Expected("AimRepartitionRolledBack")
    besides = [Expected("AimNodePartitionsUnhealthy", node)]
    async with stage.scene("a driver does not come back", *expected, allowed=besides):
        name = await make_plan(stage, "unreadable", "CPX/NPS4")
        await stage.fire(*expected)
        await ends(stage, name, "RolledBack")


async def degraded(stage: Stage) -> None:
    """A GPU is gone while its mode is changed: there is no way back."""
    node = {"node": "degraded"}
    expected = Expected("AimRepartitionDegraded", node), Expected("AimNodePartitionsUnhealthy", node)
    async with stage.scene("a GPU is lost in a change", *expected):
        name = await make_plan(stage, "degraded", "CPX/NPS1")
        await stage.fire(*expected)
        await stage.delete(f"{PLANS}/{name}")


async def make_plan(stage: Stage, node: str, mode: str, **spec: Any) -> str:
    """A plan by hand for a node; its name."""
    made = await stage.create(PLANS, plan(await stage.get(f"{AIM}/gpunodes/{node}"), mode, **spec))
    return str(made["metadata"]["name"])


async def ends(stage: Stage, name: str, *phases: str) -> None:
    """Wait until the plan is in one of these phases."""

    async def ended() -> Object | None:
        found = await stage.get(f"{PLANS}/{name}")
        return found if found.get("status", {}).get("phase") in phases else None

    await stage.eventually(f"{name} is {' or '.join(phases)}", ended)
