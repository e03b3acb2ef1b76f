"""The map of a cluster in memory, served as `aim-gpu ui` serves a real one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from controller.cli.live_cluster import Live, needed
from controller.runtime.clock import RealClock
from controller.ui.document import Reader
from controller.ui.feed import Feed
from controller.ui.gate import Gate, TokenGate
from controller.ui.limits import Limits
from controller.ui.planner import Planner, Work, at_once
from controller.ui.server import MapServer
from tests.controller.ui.fleet import FleetOnPaper

TOKEN: Final = "token-of-the-test"


@dataclass(frozen=True)
class Served:
    """A running map. `behind`: what it is said to have no news of; `feed.changed` tells of a change there."""

    fed: FleetOnPaper
    feed: Feed
    server: MapServer
    behind: dict[str, dict[str, str]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/"

    @property
    def opened(self) -> str:
        """The URL that a person is given."""
        return f"{self.url}#token={TOKEN}"


@asynccontextmanager
async def served(
    fed: FleetOnPaper,
    gate: Gate | None = None,
    *,
    where: Callable[[Work], Awaitable[bytes]] = at_once,
    limits: Limits | None = None,
) -> AsyncIterator[Served]:
    """Serve on a free port while the context lasts."""
    live, clock = Live(fed.cluster, fed.sizing), RealClock()

    async def around() -> Live:
        return live

    reader, behind = Reader(fed), dict[str, dict[str, str]]()
    feed = Feed(lambda: {**reader.read(), "behind": dict(behind)}, clock)
    for informer in needed(fed.cluster):
        informer.add_handler(feed.changed)
    server = MapServer(
        "127.0.0.1",
        0,
        feed=feed,
        gate=gate or TokenGate(TOKEN),
        answers=Planner(live, around, where),
        clock=clock,
        limits=limits,
    )
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(feed.run()), group.create_task(server.run())]
        await server.wait_started(5)
        try:
            yield Served(fed, feed, server, behind)
        finally:
            for task in running:
                task.cancel()
