"""A fake API server, a client, an informer of its nodes and a controller on it, all in the loop's virtual time.

Sockets are real, so what aiohttp does with them is real too; time moves only when everybody waits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES
from controller.runtime.controller import Controller
from controller.runtime.manifest import Manifest, version_of
from controller.runtime.reconcile import Request, Result
from tests.fakes.api_server import FakeApiServer, Seen
from tests.fakes.clock import LoopClock

_POLL_SECONDS = 0.5
CONNECTION = ClientConfiguration(server="http://unknown", token="secret")


class World:
    """`told`: what handlers heard since all runs. `reconciled`: key and the version that the reconcile found ("" when gone).

    `work`: what a reconcile does with the object that it found.
    """

    def __init__(self, api: FakeApiServer, client: Client, *, streaming: bool) -> None:
        self.api, self.client, self.clock = api, client, LoopClock()
        self.informer: Informer[Manifest] = Informer(
            client, NODES, clock=self.clock, rng=Random(1), streaming=streaming
        )
        self.told: list[StoreEvent[Manifest]] = []
        self.reconciled: list[tuple[str, str]] = []
        self.work: Callable[[Manifest], Awaitable[None]] | None = None
        self.informer.add_handler(self.told.append)
        self.controller = Controller("faults", self._reconcile, workers=2, clock=self.clock)
        self.controller.for_(self.informer)

    def put(self, name: str, **spec: Any) -> Manifest:
        """Create or change a node as somebody else would."""
        return self.api.put(NODES, {"metadata": {"name": name}, "spec": spec})

    def asked(self, sort: str = "any", after: int = 0) -> list[Seen]:
        """The requests of that sort, without the first `after` of all requests."""
        return [seen for seen in self.api.seen[after:] if sort == "any" or seen.was(sort)]

    def agrees(self) -> bool:
        """Whether the copy is what the server has, and the last reconcile of each object saw its last state."""
        theirs = {key: version_of(obj) for key, obj in self.api.objects(NODES).items()}
        ours = {key: version_of(obj) for key, obj in self.informer.store.snapshot().items()}
        last = dict(self.reconciled)
        return theirs == ours and last == {key: theirs.get(key, "") for key in last} and theirs.keys() <= last.keys()

    async def until(self, condition: Callable[[], object], limit: float = 3600.0) -> None:
        """Wait until the condition holds, `limit` virtual seconds at most."""
        async with asyncio.timeout(limit):
            while not condition():  # noqa: ASYNC110 - any condition, not one that somebody signals
                await asyncio.sleep(_POLL_SECONDS)

    async def until_agreed(self, limit: float = 3600.0) -> None:
        """Wait until `agrees`, `limit` virtual seconds at most."""
        await self.until(self.agrees, limit)

    async def _reconcile(self, request: Request) -> Result:
        found = self.informer.store.get(request.key)
        if found is not None and self.work is not None:
            await self.work(found)
        self.reconciled.append((request.key, version_of(found) if found else ""))
        return Result()


@asynccontextmanager
async def world(
    api: FakeApiServer | None = None, connection: ClientConfiguration = CONNECTION, *, streaming: bool = True
) -> AsyncIterator[World]:
    """The whole of it, running; nodes a and b are there, and known."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(api or FakeApiServer())
        client = Client(replace(connection, server=server.url), clock=LoopClock())
        made = World(server, await stack.enter_async_context(client), streaming=streaming)
        made.put("a")
        made.put("b")
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = [tasks.create_task(run()) for run in (made.informer.run, made.controller.run)]
        await made.until_agreed()
        await asyncio.sleep(2.0)  # a watch that the test ends was then no short one
        made.told.clear()
        yield made
        for task in running:
            task.cancel()


def gaps(seen: list[Seen]) -> list[float]:
    """Seconds between these requests."""
    return [later.at - earlier.at for earlier, later in pairwise(seen)]


def versions(seen: list[Seen]) -> list[str | None]:
    """The resourceVersions that these requests sent; None: they asked for the latest state."""
    return [one.query.get("resourceVersion") for one in seen]


def backed_off(waits: list[float]) -> bool:
    """Whether these waits grow as the reflector's do: 0.8 s doubled each time and up to twice that, 30 s at most."""
    bounds = [(min(0.8 * 2**n, 30.0), min(1.6 * 2**n, 30.0)) for n in range(len(waits))]
    return all(low - 0.01 <= wait <= high + 0.2 for wait, (low, high) in zip(waits, bounds, strict=True))
