"""The fake store is an API server's store, as far as controllers can tell."""

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from tests.fakes.clock import LoopClock
from tests.fakes.store import FakeStore
from tests.fakes.store_conformance import CHECKS, RESOURCES, Check
from tests.fakes.store_transport import StoreTransport
from tests.fakes.virtual_loop import run_virtually


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_fake_store(check: Check) -> None:
    async def run() -> None:
        clock = LoopClock()
        store = FakeStore(clock, RESOURCES)
        wire = StoreTransport(store, "test", latency=0.01)
        async with Client(ClientConfiguration("http://store"), clock=clock, transport=wire) as client:
            await check(client, "default")

    run_virtually(run())
