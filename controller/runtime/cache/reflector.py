"""The I/O shell of list and watch: does what `Reflection` asks, and tells it and the sink what happened."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from random import Random
from typing import Final, Generic, cast

from controller.runtime.cache import collector
from controller.runtime.cache.messages import (
    BookmarkSeen,
    Change,
    EventSeen,
    Failed,
    Failure,
    ListPage,
    PageListed,
    RelistAsked,
    Replaced,
    Report,
    Watch,
    WatchEnded,
    WatchOpened,
)
from controller.runtime.cache.object_type import T
from controller.runtime.cache.reflection import Phase, Reflection, ReflectionStatistics
from controller.runtime.cache.whole import is_bookmark, is_object
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.errors import (
    ApiError,
    BadRequest,
    Gone,
    Invalid,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.runtime.logger import Logger
from controller.runtime.manifest import AnyObject, annotations_of, version_of
from controller.runtime.objects.metadata import PartialObject

INITIAL_EVENTS_SECONDS: Final = 60.0
"""How long a streaming list may take to its end. A server (or proxy) that does not know them may never end one."""
_TURN_OBJECTS = 200
_EVENT_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED"})
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"

Stream = AsyncGenerator[tuple[str, T | PartialObject], None]


class StreamStalled(ApiError):
    """The initial events of a streaming list did not come to their end in time."""


class Reflector(Generic[T]):
    """Keeps a sink told of a collection's state, for as long as `run` runs.

    `prepare` gets each object fresh from the wire and returns what to keep of it. `sink` is called in the event loop
    with each change, in order. What one of them raises ends `run`.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        selection: Selection,
        sink: Callable[[Change[T]], None],
        *,
        into: type[T],
        prepare: Callable[[T], T],
        streaming: bool,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._client, self._resource, self._selection, self._into = client, resource, selection, into
        self._sink, self._prepare = sink, prepare
        self._clock = clock
        self._reflection: Reflection[T] = Reflection(rng, streaming=streaming)
        self._log = Logger(__name__).bind(resource=str(resource), namespace=selection.namespace)
        self.last_error: ApiError | None = None
        #: When lists and watches began to fail, by the clock's monotonic seconds; None while what is told is of now.
        self.failing_since: float | None = None
        # Lists that were asked for, by number: the last one asked, begun and told to the sink.
        self._asked = self._begun = self._served = 0
        self._listed = asyncio.Event()
        self._following: asyncio.Timeout | None = None

    def select(self, selection: Selection) -> None:
        """Another part of the collection, from the next list or watch on."""
        self._selection = selection

    async def refresh(self) -> None:
        """Wait for a list that begins after now and reads the latest state. `run` must be running.

        It is tried until it succeeds: bound it by `asyncio.timeout`.
        """
        self._asked += 1
        wanted = self._asked
        if self._following is not None:
            self._following.reschedule(asyncio.get_running_loop().time())
            self._following = None  # it ends once, however many ask
        while self._served < wanted:
            await self._listed.wait()

    async def run(self) -> None:
        """List, watch, and start over as needed, until cancelled; every API failure is retried."""
        while True:
            action = self._reflection.next_action()
            if action.delay > 0:
                await self._clock.sleep(action.delay)
            try:
                if isinstance(action, ListPage):
                    await self._list(action)
                else:
                    await self._watch(action)
            except ApiError as error:
                self._failed(error)

    def statistics(self) -> ReflectionStatistics:
        """The machine's figures."""
        return self._reflection.statistics()

    async def _list(self, first: ListPage) -> None:
        """All pages of one list, or none: the first that fails ends it."""
        action = first
        self._begin(first)
        collector.collect_young()
        while True:
            await self._list_page(action)
            following = self._reflection.next_action()
            if not isinstance(following, ListPage):
                return
            action = following

    def _begin(self, action: ListPage | Watch) -> None:
        # Of any other version the server may give a state of before now.
        if action.resource_version is None:
            self._begun = self._asked

    async def _list_page(self, action: ListPage) -> None:
        page = await self._client.list_page(
            self._resource,
            self._selection,
            resource_version=action.resource_version,
            limit=action.limit,
            continue_token=action.continue_token,
            into=self._into,
        )
        if not page.resource_version:
            raise Unavailable(0, "NotAList", f"list of {self._resource}: an answer without a resourceVersion")
        with collector.paused():
            await self._prepare_all(page.items)
            self._report(PageListed(page.items, page.resource_version, page.continue_token))

    async def _prepare_all(self, items: list[T]) -> None:
        """In place, so that what is not kept goes at once; others get turns, for a first page may be the whole list."""
        for start in range(0, len(items), _TURN_OBJECTS):
            turn = slice(start, start + _TURN_OBJECTS)
            items[turn] = [self._prepare_one(item) for item in items[turn]]
            await asyncio.sleep(0)

    def _prepare_one(self, obj: T) -> T:
        # Answers are not trusted to be what they are called: garbage is the sender's failure, and no bug of a sink.
        if not is_object(obj):
            raise ApiError(0, "NotAnObject", f"{self._resource}: an object without metadata or name: {obj!r:.200}")
        return self._prepare(obj)

    async def _watch(self, action: Watch) -> None:
        if action.initial_events:
            self._begin(action)
        elif self._served < self._asked:
            self._report(RelistAsked())
            return
        self._report(WatchOpened())
        events = self._client.watch(
            self._resource,
            self._selection.namespace,
            resource_version=action.resource_version,
            label_selector=self._selection.label_selector,
            field_selector=self._selection.field_selector,
            timeout_seconds=action.timeout_seconds,
            initial_events=action.initial_events,
            into=self._into,
        )
        async with aclosing(events) as stream:
            if action.initial_events:
                await self._take_initial(stream)
            interrupted = await self._follow(stream)
        self._report(RelistAsked() if interrupted else WatchEnded())

    async def _follow(self, stream: Stream[T]) -> bool:
        """Read events until the stream ends (False), or a list is asked for (True)."""
        if self._served < self._asked and self._reflection.phase is Phase.WATCHING:
            return True
        following = asyncio.timeout(None)  # no limit: `refresh` ends it
        try:
            async with following:
                self._following = following
                async for kind, obj in stream:
                    self._take(kind, obj)
        except TimeoutError:
            if not following.expired():
                raise
            return True
        finally:
            self._following = None
        return False

    async def _take_initial(self, stream: Stream[T]) -> None:
        """Read until the initial events are complete, or the stream ends."""
        try:
            with collector.paused_in_bursts() as burst:
                async with asyncio.timeout(INITIAL_EVENTS_SECONDS) as limit:
                    async for kind, obj in stream:
                        burst.goes_on()
                        self._take(kind, obj)
                        if self._reflection.phase is Phase.WATCHING:
                            return
        except TimeoutError as error:
            if not limit.expired():
                raise
            what = f"streaming list of {self._resource}: not complete after {INITIAL_EVENTS_SECONDS} s"
            raise StreamStalled(0, "StreamStalled", what) from error

    def _take(self, kind: str, obj: T | PartialObject) -> None:
        if kind in _EVENT_TYPES:
            self._report(EventSeen(kind, self._prepare_one(cast("T", obj))))
        elif kind == "BOOKMARK":
            self._report(self._bookmark(obj))
        else:
            raise ApiError(0, "UnknownEvent", f"watch of {self._resource}: an event of type {kind!r}")

    def _bookmark(self, obj: AnyObject) -> BookmarkSeen:
        if not is_bookmark(obj):
            raise Unavailable(0, "NotABookmark", f"watch of {self._resource}: a bookmark without a resourceVersion")
        return BookmarkSeen(version_of(obj), annotations_of(obj).get(_INITIAL_EVENTS_END) == "true")

    def _report(self, happened: Report[T]) -> None:
        change = self._reflection.step(happened, self._clock.monotonic())
        # half a list proves nothing, and neither does a watch that was begun and brought nothing yet
        if isinstance(happened, PageListed | EventSeen | BookmarkSeen) and self._reflection.phase is Phase.WATCHING:
            self.failing_since = None
        if change is None:
            return
        self._sink(change)
        if isinstance(change, Replaced):
            self._served = self._begun
            self._listed.set()
            self._listed = asyncio.Event()

    def _failed(self, error: ApiError) -> None:
        self.last_error = error
        if self.failing_since is None:
            self.failing_since = self._clock.monotonic()
        failure = failure_of(error)
        self._log.warning("list or watch failed", phase=self._reflection.phase, failure=failure, error=str(error))
        self._report(Failed(failure, error.retry_after))


def failure_of(error: ApiError) -> Failure:
    """How list and watch react to `error`."""
    if isinstance(error, Gone) or error.of_the_future:
        return Failure.EXPIRED
    if isinstance(error, Unavailable | Timeout | TooManyRequests):
        return Failure.UNREACHABLE
    if isinstance(error, BadRequest | Invalid):
        # A server without streaming lists refuses the parameters as such. A 403, 404 or 405 says nothing of the kind:
        # a role that is bound or a CRD that is installed later would find streaming given up for no reason.
        return Failure.UNSUPPORTED
    if isinstance(error, StreamStalled):
        return Failure.STALLED
    return Failure.OTHER
