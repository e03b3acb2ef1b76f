"""Scenes of memory: GPUs that are full, in pieces or taken by others, and models that were sized wrong."""

from functools import partial
from typing import Final

from controller.telemetry.instruments import MODEL_MEMORY_OBSERVED
from tests.integration.metrics.judgement import Expected
from tests.integration.metrics.objects import allocation, deployment, foreign_claim, policy, service
from tests.integration.metrics.places import (
    AIM,
    DEPLOYMENTS,
    POLICIES,
    PRODUCT_IN_PIECES,
    PRODUCT_THAT_FILLS,
    PROFILE,
    PROFILES,
    RESOURCE_CLAIMS,
    SERVICES,
    TEAM,
)
from tests.integration.metrics.scenes_changes import ends, make_plan
from tests.integration.metrics.stage import Stage

LARGE: Final = "Qwen/Qwen3-32B"
"""Two of the pieces would not hold it."""
TOO_MUCH: Final = Expected("AimModelMemoryOverestimated", {"profile": PROFILE})


async def full(stage: Stage) -> None:
    """More is asked of the GPUs of one product than they have."""
    expected = [
        Expected("AimGpuCapacityExhausted", {"product": PRODUCT_THAT_FILLS}),
        Expected("AimClaimsWait", {"namespace": TEAM}),
        Expected("AimInferenceServiceNotReady", {"namespace": TEAM, "service": "too-many"}),
    ]
    async with stage.scene("GPUs are full", *expected):
        await stage.create(SERVICES, service("fills", "full", replicas=2))
        await stage.eventually("fills is ready", partial(_ready, stage, "fills", 2))  # not asked: nobody answers yet
        await stage.create(SERVICES, service("too-many", "full"))
        await stage.fire(*expected)
        await stage.delete(f"{SERVICES}/too-many")
        await stage.delete(f"{SERVICES}/fills")


async def _ready(stage: Stage, name: str, replicas: int) -> bool:
    found = await stage.get(f"{SERVICES}/{name}")
    return bool(found.get("status", {}).get("readyReplicas") == replicas)


async def pieces(stage: Stage) -> None:
    """Most that is asked for is larger than any partition of a product, which are free; then they are put together."""
    alert = Expected("AimGpuMemoryFragmented", {"product": PRODUCT_IN_PIECES})
    async with stage.scene("free memory is in pieces", alert, allowed=[Expected("AimClaimsWait", {"namespace": TEAM})]):
        await stage.create(DEPLOYMENTS, deployment("large", "pieces", 24, LARGE))
        await stage.fire(alert)
        await stage.delete(f"{DEPLOYMENTS}/large")
        await stage.create(POLICIES, policy("pieces"))
        await ends(stage, await make_plan(stage, "pieces", "SPX/NPS1"), "Succeeded")


async def taken(stage: Stage) -> None:
    """Somebody who knows nothing of us uses all of a GPU's memory."""
    expected = [
        Expected("AimGpuMemoryNearlyExhausted", {"node": "taken"}),
        Expected("AimGpuMemoryExhausted", {"node": "taken"}),
    ]
    async with stage.scene("memory is exhausted", *expected):
        gpus = (await stage.get(f"{AIM}/gpunodes/taken"))["status"]["gpus"]
        await stage.create(RESOURCE_CLAIMS, foreign_claim())
        device = gpus[0]["partitions"][0]["device"]
        await stage.patch(f"{RESOURCE_CLAIMS}/foreign/status", allocation("taken", device))
        await stage.fire(*expected)
        await stage.delete(f"{RESOURCE_CLAIMS}/foreign")


async def overestimated(stage: Stage) -> None:
    """What a ModelProfile says of weights becomes far more than its engines take."""
    async with stage.scene("a profile says too much", TOO_MUCH):
        await stage.shown(f'{MODEL_MEMORY_OBSERVED.exported_name}{{profile="{PROFILE}"}}')
        await weigh(stage, 60)
        await stage.fire(TOO_MUCH)
        await weigh(stage, None)


async def underestimated(stage: Stage) -> None:
    """An engine takes more than its claim was sized at, until the profile says so."""
    alert = Expected("AimModelMemoryUnderestimated", {"profile": PROFILE})
    async with stage.scene("a profile says too little", alert, allowed=[TOO_MUCH]):
        await stage.shown(f'{MODEL_MEMORY_OBSERVED.exported_name}{{profile="{PROFILE}"}} > {60 << 30}')
        await weigh(stage, None)
        await stage.fire(alert)
        await weigh(stage, 58)


async def weigh(stage: Stage, gib: int | None) -> None:
    """Have the profile say that weights take so much; None: what its architecture makes of it."""
    overrides = None if gib is None else {"weightsBytes": gib << 30}
    await stage.patch(f"{PROFILES}/{PROFILE}", {"spec": {"overrides": overrides}})
