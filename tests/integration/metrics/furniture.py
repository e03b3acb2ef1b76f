"""What the story has from its beginning: nodes, services, pods and policies, and requests all the time."""

import asyncio
import itertools
import json
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Final

from tests.builders.model_profile import MODEL, model_profile
from tests.integration.metrics.objects import SMALL, deployment, kubernetes_service, policy, service, shared_policy
from tests.integration.metrics.places import (
    DEPLOYMENTS,
    KUBERNETES_SERVICES,
    POLICIES,
    PRODUCT_IN_PIECES,
    PRODUCT_THAT_FILLS,
    PROFILE,
    PROFILES,
    SERVICES,
)
from tests.integration.metrics.stage import Stage
from tests.integration.metrics.staging import Group

FAULTS: Final = {
    "faults": [
        # the driver is unloaded and comes back by itself; the plan is taken back
        {"fault": "ReloadFailsHalfWay", "node": "unreadable", "seconds": 12},
        # a GPU is gone when its mode was set, and comes back when a person has looked
        {"fault": "GpuLost", "call": "SetComputeMode", "node": "degraded", "seconds": 30},
    ]
}


def groups(folder: Path) -> dict[str, Group]:
    """The nodes of the story. The files of faults are in `folder`."""
    for name, script in (("main", FAULTS), ("sick", {})):
        faults_file(folder, name).write_text(json.dumps(script), encoding="utf-8")
    nodes = {
        "serving": "CPX/NPS1",
        "approved": "SPX/NPS1",
        "drains": "DPX/NPS1",
        "drains-beside": "SPX/NPS1",
        "unreadable": "SPX/NPS1",
        "degraded": "SPX/NPS1",
        "taken": "SPX/NPS1",
        "profiled": "DPX/NPS1",
    }
    return {
        "main": Group(nodes, ("--faults", str(faults_file(folder, "main")))),
        "sick": Group({"sick": "DPX/NPS1"}, ("--faults", str(faults_file(folder, "sick")))),
        "lost": Group({"lost": "SPX/NPS1"}),
        "full": Group({"full": "DPX/NPS1"}, ("--product", PRODUCT_THAT_FILLS)),
        "pieces": Group({"pieces": "CPX/NPS1"}, ("--product", PRODUCT_IN_PIECES)),
    }


def faults_file(folder: Path, name: str) -> Path:
    """The script of faults of a group of nodes."""
    return folder / f"faults-{name}.json"


async def furnish(stage: Stage) -> None:
    """Services that are asked, pods on the nodes that have trouble, policies for plans."""
    await stage.create(POLICIES, policy("approved", approval="Manual"))
    for node in ("drains", "unreadable", "degraded"):
        await stage.create(POLICIES, policy(node))
    await stage.create(POLICIES, shared_policy("serving", seats=2, patience="1s"))
    await stage.create(SERVICES, service("steady", "serving"))
    # of all requests 84 % within the threshold: a budget that burns 6.27 times too fast where none is, and 3.63 is too fast
    slo = [{"metric": "timeToFirstToken", "percentile": "p90", "threshold": "500ms", "objective": "93.4"}]
    shared = {"isolation": "cooperative", "shareGroup": "crowd", "policyRef": "serving"}
    queue = {"maxLength": 16, "timeout": "30s"}
    qos = {"class": "realtime", "slo": slo, "guarantees": {"maxConcurrency": 2}, "queue": queue}
    await stage.create(SERVICES, service("flooded", "serving", qos=qos, gpuSharing=shared))
    await stage.create(SERVICES, service("neighbour", "serving", gpuSharing=shared))
    await stage.create(PROFILES, model_profile() | {"metadata": {"name": PROFILE}})
    await stage.create(SERVICES, service("profiled", "profiled", MODEL))
    for app, node in (("patient", "sick"), ("stays", "drains"), ("bare", "serving")):
        await stage.create(DEPLOYMENTS, deployment(app, node))
    await stage.create(KUBERNETES_SERVICES, kubernetes_service("bare"))
    for name in ("steady", "flooded", "neighbour", "profiled"):
        await stage.eventually(f"{name} answers", partial(answers, stage, name))
    await stage.eventually("the bare engine answers", lambda: _is_ok(stage.ask_engine("bare", SMALL)))


async def answers(stage: Stage, name: str) -> bool:
    """Whether a service of the team's answers."""
    return await stage.ask(name) == 200


async def look_now_and_then(stage: Stage) -> None:
    """Open the live map for some seconds, again and again, until cancelled."""
    while True:
        await stage.look(SMALL, 5)
        await asyncio.sleep(10)


async def _is_ok(asking: Awaitable[int]) -> bool:
    return await asking == 200


async def steadily(stage: Stage) -> None:
    """Ask one service some times a second, an engine itself, and now and then for what is not there, until cancelled."""
    for number in itertools.count():
        await stage.ask("steady", stream=number % 2 == 0)
        if not number % 5:
            await stage.ask("nobody")
            await stage.ask_engine("bare", SMALL)
        await asyncio.sleep(0.2)
