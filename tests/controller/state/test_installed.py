import asyncio
from random import Random

import pytest
import structlog

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.state.installed import NOT_INSTALLED, wait_installed
from controller.state.kinds import GPU_NODES
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock


@pytest.mark.looptime
async def test_kinds_that_are_not_installed_are_told_with_the_remedy_until_they_are() -> None:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url), clock=LoopClock()) as client:
        with structlog.testing.capture_logs() as logs:
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(wait_installed(client, LoopClock(), Random(1)))
                await asyncio.sleep(100.0)
                assert not waiting.done()
                api.serve(GPU_NODES)
        assert {log["event"] for log in logs} == {NOT_INSTALLED}
        assert "`aim-gpu crds | kubectl apply --server-side -f -`" in NOT_INSTALLED
        waits = [log["retry_seconds"] for log in logs]
        assert (waits[0] < 2, max(waits) > 10, len(waits) < 12) == (True, True, True)


@pytest.mark.looptime
async def test_another_refusal_is_left_to_who_reads_the_kinds() -> None:
    async with FakeApiServer() as api, Client(ClientConfiguration(server=api.url), clock=LoopClock()) as client:
        api.serve(GPU_NODES)
        api.play(faults.refusal(403, "Forbidden"), on="list")
        await wait_installed(client, LoopClock(), Random(1))
        assert api.count("list") == 1
