import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controller.runtime.cache.informer import CacheNotSynced
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.state.served import LOOK_SECONDS, ServedInformer
from tests.builders.resource_claim import resource_claim
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock

SOON = 1.0


@asynccontextmanager
async def informing(api: FakeApiServer) -> AsyncIterator[ServedInformer[ResourceClaim]]:
    """An informer of ResourceClaims that runs in virtual time."""
    async with Client(ClientConfiguration(server=api.url), clock=LoopClock()) as client:
        claims = ServedInformer(client, RESOURCE_CLAIMS, into=ResourceClaim, clock=LoopClock())
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(claims.run())
            yield claims
            running.cancel()


@pytest.mark.looptime
async def test_a_kind_that_is_served_is_followed() -> None:
    async with FakeApiServer() as api:
        api.put(RESOURCE_CLAIMS, resource_claim())
        async with informing(api) as claims:
            await claims.wait_synced(60.0)
            await claims.refresh(60.0)
            assert (claims.served, list(claims.store.keys())) == (True, ["team-a/aim-a"])


@pytest.mark.looptime
async def test_one_that_is_not_is_empty_and_in_sync_until_it_comes() -> None:
    async with FakeApiServer() as api, informing(api) as claims:
        initial: list[bool] = []
        claims.add_handler(lambda event: initial.append(event.initial))
        await claims.wait_synced(60.0)
        await claims.refresh(60.0)
        assert (claims.served, claims.synced, list(claims.store.keys()), api.count("watch")) == (False, True, [], 0)
        api.put(RESOURCE_CLAIMS, resource_claim())
        await asyncio.sleep(LOOK_SECONDS + SOON)
        assert (claims.served, list(claims.store.keys())) == (True, ["team-a/aim-a"])
        assert initial == [False]  # it is news, and no first sight


@pytest.mark.looptime
async def test_while_nobody_answers_nothing_is_known_and_nobody_goes_on() -> None:
    async with FakeApiServer() as api:
        api.serve(RESOURCE_CLAIMS)
        api.play(*[faults.refusal(500, "InternalError")] * 100, on="list")
        async with informing(api) as claims:
            with pytest.raises(CacheNotSynced, match=r"whether it is served; last error: .*InternalError"):
                await claims.wait_synced(10.0)
            assert (claims.served, claims.synced) == (None, False)
