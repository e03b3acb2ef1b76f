import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from controller.agent.heartbeat import INTERVAL_SECONDS, SYSTEM_NAMESPACE, Heartbeat
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import SkippingClock

KEY = f"{SYSTEM_NAMESPACE}/node-0"


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        server.serve(LEASES)
        yield server


NODE = {"apiVersion": "v1", "kind": "Node", "name": "node-0", "uid": "u-0"}


@asynccontextmanager
async def beating(
    api: FakeApiServer, vouch: list[bool], owner: dict[str, str] | None = None
) -> AsyncIterator[SkippingClock]:
    """A heartbeat whose waits take no time; it vouches while `vouch` holds True."""
    clock = SkippingClock()
    async with Client(ClientConfiguration(server=api.url)) as client, asyncio.TaskGroup() as tasks:
        heartbeat = Heartbeat(client, "node-0", clock, Random(1), lambda: vouch[0], owner=lambda: owner)
        task = tasks.create_task(heartbeat.run())
        yield clock
        task.cancel()


async def beats(clock: SkippingClock, count: int) -> list[float]:
    async with asyncio.timeout(60):
        while len(clock.slept) < count:  # noqa: ASYNC110 - a fake clock has no event to wait for
            await asyncio.sleep(0.001)
    return clock.slept[:count]


async def test_the_lease_is_made_and_renewed(api: FakeApiServer) -> None:
    async with beating(api, [True]) as clock:
        await beats(clock, 3)
    lease = api.objects(LEASES)[KEY]
    assert lease["metadata"]["labels"] == {"aim.amd.com/agent": "true"}
    assert lease["spec"]["leaseDurationSeconds"] == 40
    assert lease["spec"]["holderIdentity"] == "node-0"
    assert lease["spec"]["acquireTime"] == "2026-01-01T00:00:00.000000Z"
    assert lease["spec"]["renewTime"] > lease["spec"]["acquireTime"]


async def test_the_lease_is_where_the_operator_was_installed(api: FakeApiServer) -> None:
    clock = SkippingClock()
    async with Client(ClientConfiguration(server=api.url)) as client, asyncio.TaskGroup() as tasks:
        heartbeat = Heartbeat(client, "node-0", clock, Random(1), lambda: True, namespace="elsewhere")
        task = tasks.create_task(heartbeat.run())
        await beats(clock, 2)
        task.cancel()

    assert list(api.objects(LEASES)) == ["elsewhere/node-0"]


async def test_the_lease_is_the_nodes_also_when_it_was_made_before_that_was_known(api: FakeApiServer) -> None:
    for owner in (None, NODE):
        async with beating(api, [True], owner) as clock:
            await beats(clock, 2)
        assert api.objects(LEASES)[KEY]["metadata"].get("ownerReferences") == ([owner] if owner else None)


async def test_renewals_are_a_little_early_and_never_late(api: FakeApiServer) -> None:
    async with beating(api, [True]) as clock:
        waits = await beats(clock, 20)
    assert all(0.9 * INTERVAL_SECONDS <= wait <= INTERVAL_SECONDS for wait in waits)
    assert len(set(waits)) > 1


async def test_a_refused_renewal_is_tried_again_well_within_the_lease(api: FakeApiServer) -> None:
    api.play(*[faults.refusal(403, "Forbidden")] * 5, on="PATCH")
    async with beating(api, [True]) as clock:
        waits = await beats(clock, 6)
    assert sum(waits[:5]) < 30
    assert waits[:5] == sorted(waits[:5])
    assert KEY in api.objects(LEASES)


async def test_nothing_is_renewed_while_the_inventory_is_not_true(api: FakeApiServer) -> None:
    vouch = [False]
    async with beating(api, vouch) as clock:
        await beats(clock, 10)
        assert api.seen == []
        vouch[0] = True
        async with asyncio.timeout(60):
            while KEY not in api.objects(LEASES):  # noqa: ASYNC110 - a fake server has no event to wait for
                await asyncio.sleep(0.001)
