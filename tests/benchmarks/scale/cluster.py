"""The operator beside many nodes, as a process of its own, and a watch of the pods: what everything here is tried on.

One node's agent is real, the others' are copies of what it reported.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS
from e2e.plane import Plane
from e2e.run.processes import Worker, start_agents, start_operator
from tests.benchmarks.binding.burst import HEARTBEATS
from tests.benchmarks.binding.held import add_nodes
from tests.benchmarks.binding.stand_ins import stand_ins
from tests.benchmarks.scale.lives import Lives
from tests.benchmarks.scale.load import NAMESPACES
from tests.benchmarks.scale.settings import Settings
from tests.integration.operator.running import AIM, DRA

MODEL: Final = "scale-node-0"
_LOOK_SECONDS: Final = 0.2
_SYNC_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What runs. `known_seconds`: from the first node until all of them have reported their partitions."""

    plane: Plane
    operator: Worker
    agent: Worker
    client: Client
    lives: Lives = field(default_factory=Lives)
    known_seconds: float = 0.0


@asynccontextmanager
async def scene(plane: Plane, settings: Settings, folder: Path) -> AsyncIterator[Scene]:
    """Nodes, operator, agent and its copies on an installed plane; all ended with the block."""
    began, lives = time.monotonic(), Lives()
    others = [f"scale-node-{number}" for number in range(1, settings.nodes)]
    await asyncio.to_thread(_prepare, plane, [MODEL, *others])
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(start_operator(plane, folder))
        agent = await stack.enter_async_context(
            start_agents(plane, folder, {MODEL: "CPX/NPS4"}, arguments=("--gpus", "8", *HEARTBEATS))
        )
        client = await stack.enter_async_context(_client(plane))
        await _reported(plane, settings.limit)
        await stack.enter_async_context(stand_ins(client, MODEL, others, settings.limit))
        await stack.enter_async_context(_watched(client, lives))
        yield Scene(plane, operator, agent, client, lives, time.monotonic() - began)


def _client(plane: Plane) -> Client:
    return Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig), user_agent="bench-load")


def _prepare(plane: Plane, nodes: list[str]) -> None:
    for namespace in NAMESPACES:
        plane.admin.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    add_nodes(plane, nodes)
    accounts = [f"/api/v1/namespaces/{namespace}/serviceaccounts/default" for namespace in NAMESPACES]
    plane.wait_until(
        lambda: all(plane.admin.find(account) is not None for account in accounts), "pods may be made everywhere"
    )


async def _reported(plane: Plane, limit: float) -> None:
    """Until the real agent's node has GPUs and advertises devices."""
    async with asyncio.timeout(limit):
        while True:
            node = await asyncio.to_thread(plane.admin.find, f"{AIM}/gpunodes/{MODEL}")
            slices = await asyncio.to_thread(plane.admin.get, f"{DRA}/resourceslices")
            if (node or {}).get("status", {}).get("gpus") and slices["items"]:
                return
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def _watched(client: Client, lives: Lives) -> AsyncIterator[None]:
    """`lives` is told of every pod and ResourceClaim. What is kept of each is what it reads."""
    pods: Informer[Any] = Informer(client, PODS, project=partial(_only, ("schedulingGates", "resourceClaims")))
    claims: Informer[Any] = Informer(client, RESOURCE_CLAIMS, project=partial(_only, ()))
    pods.add_handler(lambda event: lives.take_pod(event, time.monotonic()))
    claims.add_handler(lives.take_resource_claim)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each.run(), name=str(each)) for each in (pods, claims)]
        try:
            for each in (pods, claims):
                await each.wait_synced(_SYNC_SECONDS)
            yield
        finally:
            for task in running:
                task.cancel()


def _only(spec: tuple[str, ...], obj: dict[str, Any]) -> dict[str, Any]:
    """Metadata without who manages what, the status, and those fields of the spec."""
    obj["metadata"].pop("managedFields", None)
    obj["spec"] = {name: value for name, value in obj["spec"].items() if name in spec}
    return obj
