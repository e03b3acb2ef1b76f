"""The live cluster behind the map: informers that run for as long as it is served, and plans on what they show."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from random import Random

import structlog

from controller.cli.live_cluster import (
    LIST_SECONDS,
    Live,
    believe_leases,
    needed,
    read_classes,
    watched,
    with_budgets,
)
from controller.cli.live_rights import assumed, unreadable
from controller.runtime.cache.backoff import Backoff
from controller.runtime.client.client import Client
from controller.runtime.client.collection import Selection
from controller.runtime.client.core import LEASES
from controller.runtime.client.errors import Timeout, TooManyRequests, Unavailable
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.ui.differences import Document
from controller.ui.document import Reader
from controller.ui.feed import Feed
from controller.ui.planner import Planner, Work, at_once
from controller.ui.pulse import Pulse


class LiveMap:
    """One cluster: `feed` tells of it, `planner` answers questions about it, `pulse` says whether it is of now.

    `run` it while any of them is used.

    `quiet`: see `watched`; `where`: see `Planner`. `waits`: an API server that does not answer at the start is asked
    again, ever later, up to every half a minute; else `run` raises.
    """

    def __init__(
        self,
        client: Client,
        system_namespace: str,
        clock: Clock,
        *,
        quiet: bool = True,
        where: Callable[[Work], Awaitable[bytes]] = at_once,
        waits: bool = False,
    ) -> None:
        self._client, self._clock, self._waits = client, clock, waits
        self._system_namespace = system_namespace
        self._log = structlog.get_logger(__name__)
        self.live: Live = watched(client, system_namespace, clock, quiet=quiet)
        self.pulse = Pulse(self._ask, clock)
        self._reader = Reader(self.live)
        self.feed = Feed(self._document, clock)
        self.planner = Planner(self.live, self._around, where)
        self._filled = asyncio.Event()

    def __str__(self) -> str:
        return "live map"

    @property
    def filled(self) -> bool:
        """Whether everything was listed once."""
        return self._filled.is_set()

    def namespaces(self) -> Collection[str]:
        """The namespaces that have rows now."""
        tables = self.live.cluster
        return {
            key.partition("/")[0] for table in (tables.claim_table, tables.service_table) for key, _ in table.items()
        }

    async def run(self) -> None:
        """Follow the cluster until cancelled.

        Raises NotReadable for who may not list it, CacheNotSynced where it cannot be listed in time, and the client's
        errors.
        """
        cluster = self.live.cluster
        unread = await self._unreadable()
        self.live = replace(self.live, assumed=tuple(map(assumed, unread)))
        informers = needed(cluster, unread)
        async with asyncio.TaskGroup() as group:
            for informer in informers:
                group.create_task(informer.run())
            for informer in informers:
                await informer.wait_synced(LIST_SECONDS)
            believe_leases(cluster, self._clock.now())
            for informer in informers:
                informer.add_handler(self.feed.changed)
            group.create_task(self.feed.run())
            group.create_task(self.pulse.run(informers))
            self._filled.set()

    async def wait_filled(self) -> None:
        """Wait until everything was listed once; `run` must be running."""
        await self._filled.wait()

    async def _unreadable(self) -> frozenset[Resource]:
        """What may not be listed and can be done without. Raises as `unreadable`."""
        backoff = Backoff(Random())  # noqa: S311 - spreads load, guards nothing
        while True:
            try:
                return await unreadable(self._client, self._system_namespace)
            except (Unavailable, Timeout, TooManyRequests) as error:
                if not self._waits:
                    raise
                seconds = max(backoff.failed(self._clock.monotonic()), error.retry_after or 0.0)
                self._log.warning("the API server does not answer yet", problem=str(error), again_in=round(seconds, 1))
                await self._clock.sleep(seconds)

    def _document(self) -> Document:
        return {**self._reader.read(), "behind": self.pulse.behind()}

    async def _ask(self) -> object:
        """Something small of now, which whoever may see the map may read."""
        return await self._client.list_page(LEASES, Selection(self._system_namespace), limit=1)

    async def _around(self) -> Live:
        """With what is read anew for each question: priorities and disruption budgets, as far as they may be read."""
        return replace(await with_budgets(self._client, self.live), classes=await read_classes(self._client))
