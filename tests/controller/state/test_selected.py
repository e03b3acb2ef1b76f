import asyncio

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.state.kinds import GPU_PARTITION_CLAIMS
from controller.state.selected import SelectedInformer
from tests.builders.claim import claim
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock

WANTED = "status.allocation.node=worker-0"


async def asked_for(api: FakeApiServer) -> list[str | None]:
    """The field selectors of all requests until the informer is in sync, the first one's first."""
    async with Client(ClientConfiguration(server=api.url), clock=LoopClock()) as client:
        informer = SelectedInformer(client, GPU_PARTITION_CLAIMS, field_selector=WANTED, clock=LoopClock())
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(informer.run())
            await informer.wait_synced(60.0)
            running.cancel()
    return [seen.query.get("fieldSelector") for seen in api.seen]


@pytest.mark.looptime
async def test_only_the_part_is_followed_that_can_be_selected() -> None:
    async with FakeApiServer() as api:
        api.put(GPU_PARTITION_CLAIMS, claim())
        assert set(await asked_for(api)) == {WANTED}


@pytest.mark.looptime
async def test_a_server_that_cannot_select_by_the_field_is_asked_for_all() -> None:
    async with FakeApiServer() as api:
        api.put(GPU_PARTITION_CLAIMS, claim())
        api.play(faults.refusal(400, "BadRequest"), on="list")
        first, *rest = await asked_for(api)
        assert (first, set(rest)) == (WANTED, {None})


@pytest.mark.looptime
async def test_one_that_does_not_answer_is_asked_again() -> None:
    async with FakeApiServer() as api:
        api.put(GPU_PARTITION_CLAIMS, claim())
        api.play(*[faults.refusal(500, "InternalError")] * 20, on="list")
        assert set(await asked_for(api)) == {WANTED}
