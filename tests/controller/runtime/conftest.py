"""A fake API server for a test, and a client of it whose waits take no time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import structlog

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES, PODS
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import SkippingClock

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> Iterator[None]:
    """Where failures are provoked by the dozen: tracebacks drawn for people cost a tenth of a second each."""
    before = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before[:-1], plain])
    yield
    structlog.configure(processors=before)


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        server.serve(PODS)
        server.serve(NODES)
        yield server


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
async def client(api: FakeApiServer, clock: SkippingClock) -> AsyncIterator[Client]:
    async with Client(ClientConfiguration(server=api.url, token="secret"), clock=clock) as opened:
        yield opened


@pytest.fixture
def eventually() -> Eventually:
    """Wait (30 s at most) until a condition holds."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - any condition, not one that somebody signals
                await asyncio.sleep(0.002)

    return wait
