"""The I/O shell of list and watch: does what `Reflection` asks, and tells it and the sink what happened."""

from collections.abc import Callable
from contextlib import aclosing
from random import Random

import structlog

from controller.runtime.cache.reflection import (
    Change,
    EventSeen,
    Failed,
    Failure,
    Input,
    ListPage,
    PageListed,
    Reflection,
    ReflectionStatistics,
    Watch,
    WatchEnded,
    WatchOpened,
)
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.errors import ApiError, Gone, Timeout, TooManyRequests, Unavailable
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock

_EVENT_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})
_FUTURE_VERSION = "ResourceVersionTooLarge"


class Reflector:
    """Keeps a sink told of a collection's state, for as long as `run` runs.

    `sink` is called in the event loop with each change, in order; what it raises ends `run`.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        selection: Selection,
        sink: Callable[[Change], None],
        *,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._client, self._resource, self._selection = client, resource, selection
        self._sink = sink
        self._clock = clock
        self._reflection = Reflection(rng)
        self._log = structlog.get_logger(__name__).bind(resource=str(resource), namespace=selection.namespace)
        self.last_error: ApiError | None = None

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

    async def _list(self, action: ListPage) -> None:
        page = await self._client.list_page(
            self._resource,
            self._selection,
            resource_version=action.resource_version,
            limit=action.limit,
            continue_token=action.continue_token,
        )
        if not page.resource_version:
            raise Unavailable(0, "NotAList", f"list of {self._resource}: an answer without a resourceVersion")
        self._report(PageListed(page.items, page.resource_version, page.continue_token))

    async def _watch(self, action: Watch) -> None:
        self._report(WatchOpened())
        events = self._client.watch(
            self._resource,
            self._selection.namespace,
            resource_version=action.resource_version,
            label_selector=self._selection.label_selector,
            field_selector=self._selection.field_selector,
            timeout_seconds=action.timeout_seconds,
        )
        async with aclosing(events) as stream:
            async for kind, obj in stream:
                if kind not in _EVENT_TYPES:
                    raise ApiError(0, "UnknownEvent", f"watch of {self._resource}: an event of type {kind!r}")
                self._report(EventSeen(kind, obj))
        self._report(WatchEnded())

    def _report(self, happened: Input) -> None:
        change = self._reflection.step(happened, self._clock.monotonic())
        if change is not None:
            self._sink(change)

    def _failed(self, error: ApiError) -> None:
        self.last_error = error
        failure = failure_of(error)
        self._log.warning("list or watch failed", phase=self.statistics().phase, failure=failure, error=str(error))
        self._report(Failed(failure))


def failure_of(error: ApiError) -> Failure:
    """How list and watch react to `error`."""
    if isinstance(error, Gone) or any(cause.reason == _FUTURE_VERSION for cause in error.causes):
        return Failure.EXPIRED
    if isinstance(error, Unavailable | Timeout | TooManyRequests):
        return Failure.UNREACHABLE
    return Failure.OTHER
