"""Tells every open page what changed: one reader of the cluster, an audience for each viewer, a short queue a client.

    informers' events -> `changed` -> (a pause, in which more may come) -> document -> difference an audience -> queues

A client that does not keep up has its queue thrown away and gets the whole state of the moment at which it comes back.
So a slow client costs a few references, however long it stays away.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import orjson

from controller.runtime.clock import Clock
from controller.telemetry.instruments import UI_UPDATE_SECONDS
from controller.telemetry.recorded import Recorded
from controller.ui.differences import Document, difference
from controller.ui.document import FORMAT
from controller.ui.viewer import Sight, Viewer, Whole

#: Changes that come within so many seconds are told together.
PAUSE_SECONDS: Final = 0.1
#: How often is looked without an event: what time alone changes (an agent that falls silent) has none.
LOOK_SECONDS: Final = 5.0
#: Changes that wait for one client at most.
MOST_QUEUED: Final = 16
#: Clients at once; a person has a few tabs.
MOST_CLIENTS: Final = 64


class TooManyClients(Exception):
    """As many pages are open as are served."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a client is told: `event` is state (all of it) or change, `version` the number of the state after it."""

    event: str
    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FeedStatistics:
    """Clients now, versions so far; messages that clients took, and that were thrown away with the `overruns` queues of
    those that were too slow.
    """

    clients: int
    versions: int
    sent: int
    dropped: int
    overruns: int


@dataclass(slots=True)
class _Counts:
    """Of all clients since the beginning."""

    sent: int = 0
    dropped: int = 0
    overruns: int = 0


class Subscription:
    """One client's side. `next` gives the whole state first, then changes in order, none left out in between."""

    def __init__(self, audience: "_Audience", counts: _Counts) -> None:
        self._audience, self._counts = audience, counts
        self._queue: deque[Message] = deque()
        self._behind = True
        self._told = asyncio.Event()
        self._told.set()

    def put(self, message: Message) -> None:
        """Queue a change. A full queue is thrown away: the next message is the whole state."""
        if not self._behind and len(self._queue) >= MOST_QUEUED:
            self._counts.dropped += len(self._queue) + 1
            self._counts.overruns += 1
            self._queue.clear()
            self._behind = True
        if not self._behind:
            self._queue.append(message)
        self._told.set()

    async def next(self) -> Message:
        """Wait for the next message. Cancelling loses nothing."""
        while True:
            if self._behind or self._queue:
                self._counts.sent += 1
            if self._behind:
                self._behind = False
                return self._audience.whole()
            if self._queue:
                return self._queue.popleft()
            self._told.clear()
            await self._told.wait()


@dataclass(slots=True)
class _Audience:
    """All clients of one viewer, and what they were told last."""

    sight: Sight
    document: Document
    version: int
    clients: set[Subscription] = field(default_factory=set)
    encoded: Message | None = None

    def whole(self) -> Message:
        """The state as a message, encoded once a version."""
        if self.encoded is None or self.encoded.version != self.version:
            data = orjson.dumps({"format": FORMAT, "version": self.version, "state": self.document})
            self.encoded = Message("state", self.version, data)
        return self.encoded

    def tell(self, whole: Whole, version: int) -> None:
        """Tell the clients what is new of the document to them, if anything is."""
        document = self.sight.of(whole)
        change = difference(self.document, document)
        if not change:
            return
        data = orjson.dumps({"version": version, "since": self.version, "change": change})
        self.document, self.version = document, version
        message = Message("change", version, data)
        for client in self.clients:
            client.put(message)


class Feed:
    """Reads by `read` after every `changed`, and tells subscribers. `run` it for as long as anybody looks.

    `seconds` has how long making the updates took.
    """

    def __init__(self, read: Callable[[], Document], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._dirty = asyncio.Event()
        self._audiences: dict[Viewer, _Audience] = {}
        self._version = 0
        self._counts = _Counts()
        self.seconds = Recorded(UI_UPDATE_SECONDS, [()])

    def changed(self, *_: object) -> None:
        """Something may be otherwise; takes what an informer's handler is given."""
        self._dirty.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            await self._clock.sleep(PAUSE_SECONDS)
            self._dirty.clear()
            self.tell()

    def tell(self) -> None:
        """Tell everybody what is new now. Nobody there: nothing is read."""
        if not self._audiences:
            return
        began = self._clock.monotonic()
        whole = Whole(self._read())
        self._version += 1
        for audience in self._audiences.values():
            audience.tell(whole, self._version)
        self.seconds.record(self._clock.monotonic() - began)

    @contextmanager
    def subscribed(self, viewer: Viewer) -> Iterator[Subscription]:
        """A subscription while the context lasts. Raises TooManyClients."""
        if self.statistics().clients >= MOST_CLIENTS:
            raise TooManyClients(f"{MOST_CLIENTS} pages are open, which is as many as are served; close one")
        audience = self._audience(viewer)
        subscription = Subscription(audience, self._counts)
        audience.clients.add(subscription)
        try:
            yield subscription
        finally:
            audience.clients.discard(subscription)
            if not audience.clients:
                self._audiences.pop(viewer, None)

    def state(self, viewer: Viewer) -> Message:
        """The whole state of this moment, for those who ask once."""
        present = self._audiences.get(viewer)
        if present is not None:
            return present.whole()
        return self._new(viewer).whole()

    def statistics(self) -> FeedStatistics:
        """The figures of this moment."""
        clients, counts = sum(len(audience.clients) for audience in self._audiences.values()), self._counts
        return FeedStatistics(clients, self._version, counts.sent, counts.dropped, counts.overruns)

    def _audience(self, viewer: Viewer) -> _Audience:
        known = self._audiences.get(viewer)
        if known is None:
            known = self._audiences[viewer] = self._new(viewer)
        return known

    def _new(self, viewer: Viewer) -> _Audience:
        sight = Sight(viewer)
        return _Audience(sight, sight.of(Whole(self._read())), self._version)
