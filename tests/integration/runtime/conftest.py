"""A control plane for tests that kill its API server and its etcd."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest
from e2e.plane import Plane
from e2e.plane.components import CONTROLLER_MANAGER, KWOK, SCHEDULER

_COUNTERS = Path(__file__).parent / "data" / "counters.yaml"
_AT_A_TIME = 32


@pytest.fixture(scope="module")
def own_plane() -> Iterator[Plane]:
    """Nobody else's tests see this API server go. Nothing but it and its etcd runs: what else would come back slowly."""
    with Plane(manifests=[_COUNTERS]) as started:
        for component in (CONTROLLER_MANAGER, SCHEDULER, KWOK):
            started.kill(component)
        yield started


async def create_all(client: Client, resource: Resource, objects: Iterable[Manifest]) -> None:
    """Create the objects, some at a time."""
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def create(obj: Manifest) -> None:
        async with slots:
            await client.create(resource, obj)

    async with asyncio.TaskGroup() as tasks:
        for obj in objects:
            tasks.create_task(create(obj))


def fill(plane: Plane, resource: Resource, objects: Iterable[Manifest]) -> None:
    """Create the objects with a client of its own; blocks."""

    async def run() -> None:
        async with Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig)) as client:
            await create_all(client, resource, objects)

    asyncio.run(run())
