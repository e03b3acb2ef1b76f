"""One collection, kept current: a store to read and handlers to tell.

One informer is one watch: controllers that need the same collection share it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, Generic, TypeAlias

from controller.runtime.cache import collector
from controller.runtime.cache.messages import Applied, Change, Removed, Replaced
from controller.runtime.cache.object_type import T
from controller.runtime.cache.reflection import ReflectionStatistics
from controller.runtime.cache.reflector import Reflector
from controller.runtime.cache.sharing import share_strings
from controller.runtime.cache.store import EventType, IndexFunction, Store, StoreEvent, StoreStatistics
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.collection import DICT
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock, RealClock
from controller.runtime.logger import Logger

Handler: TypeAlias = Callable[[StoreEvent[T]], None]

RESYNC_SECONDS: Final = 36_000.0
_RESYNC_JITTER: Final = 0.1


class CacheNotSynced(TimeoutError):
    """A first list did not succeed in time; the text names the resource and the last error."""


@dataclass(frozen=True, slots=True)
class InformerStatistics:
    """The store's and the reflection's figures, how often all was told again, and how many calls of handlers raised."""

    store: StoreStatistics
    reflection: ReflectionStatistics
    resyncs: int
    handler_failures: int


def without_managed_fields(obj: T) -> T:
    """The projection of an informer that is given none: a third of a typical object, which no controller reads.

    Structs have no such field, and stay as they are.
    """
    if isinstance(obj, dict):
        obj["metadata"].pop("managedFields", None)
    return obj


class Informer(Generic[T]):
    """A store of `resource`, filled by `run`.

    `into`: what objects are decoded into, dict or a Struct of `controller.runtime.objects`, which leaves out what it
    has no field for. `namespace` None: all. `project` gets each object fresh from the wire, may change it (a dict),
    and returns what to keep (metadata with name, namespace, uid and resourceVersion must stay); None drops
    managedFields. `indexes`: see `Store.by_index`. `streaming` False: paged lists only, for servers that answer
    streaming ones wrongly (those that refuse them are found out). `resync_seconds`, 10 % more or less: how often
    handlers are told everything again, from the store; 0: never. `checked`: for tests; a reader that changes an object
    of the store ends `run` with ObjectChanged (see `Store`).
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        into: type[T] = DICT,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        project: Callable[[T], T] | None = None,
        indexes: Mapping[str, IndexFunction[T]] | None = None,
        streaming: bool = True,
        resync_seconds: float = RESYNC_SECONDS,
        checked: bool = False,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        self.resource = resource
        self.store: Store[T] = Store(indexes, checked=checked)
        self._project: Callable[[T], T] = project or without_managed_fields
        self._resync_seconds = resync_seconds
        self._rng = rng or Random()  # noqa: S311 - spreads load, guards nothing
        self._handlers: list[Handler[T]] = []
        self._handler_failures = self._resyncs = 0
        self._first_list = asyncio.Event()
        self._resync_timer: asyncio.TimerHandle | None = None
        self._log = Logger(__name__).bind(resource=str(resource))
        self._reflector: Reflector[T] = Reflector(
            client,
            resource,
            Selection(namespace, label_selector, field_selector),
            self._take,
            into=into,
            prepare=self._prepare,
            streaming=streaming,
            clock=clock or RealClock(),
            rng=self._rng,
        )

    def __str__(self) -> str:
        return f"informer of {self.resource}"

    @property
    def synced(self) -> bool:
        """Whether the first list is in the store, and its events were given to the handlers."""
        return self._first_list.is_set()

    @property
    def failing_since(self) -> float | None:
        """Since when (the clock's monotonic seconds) lists and watches fail; None while the store is of now.

        A watch that was refused and begins anew counts as failing until it brings something, a bookmark at least;
        `refresh` is sooner.
        """
        return self._reflector.failing_since

    def add_handler(self, handler: Handler[T]) -> None:
        """Call `handler` with every change from now on, and at once with an initial ADDED for what is there.

        Called in the event loop, in order, never concurrently; it must be quick. What it raises is logged and
        counted, and neither stops the informer nor other handlers. It is told everything again now and then (see
        `StoreEvent.unchanged`), for what was lost outside of the API server.
        """
        self._handlers.append(handler)
        for key, obj in self.store.snapshot().items():
            self._call(handler, StoreEvent(EventType.ADDED, key, None, obj, initial=True))

    def select(self, selection: Selection) -> None:
        """Follow another part of the collection. Only before `run`: what is in the store would belong to the first."""
        if self.synced:
            raise RuntimeError(f"{self}: what it follows is settled before it runs")
        self._reflector.select(selection)

    async def run(self) -> None:
        """Fill the store and keep it current until cancelled. The store stays as it was then."""
        self._schedule_resync()
        try:
            await self._reflector.run()
        finally:
            if self._resync_timer is not None:
                self._resync_timer.cancel()

    async def wait_synced(self, timeout: float) -> None:
        """Wait for the first list, at most `timeout` seconds. Raises CacheNotSynced."""
        try:
            async with asyncio.timeout(timeout):
                await self._first_list.wait()
        except TimeoutError as error:
            raise CacheNotSynced(
                f"{self.resource}: not listed within {timeout} s; last error: {self._reflector.last_error}"
            ) from error

    async def refresh(self, timeout: float) -> None:
        """Wait until the store holds everything that was written before now; `run` must be running.

        A watch says only that what it brought is not older than before. The latest state is listed anew, and handlers
        hear of the differences. Raises CacheNotSynced after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._reflector.refresh()
        except TimeoutError as error:
            raise CacheNotSynced(
                f"{self.resource}: not read anew within {timeout} s; last error: {self._reflector.last_error}"
            ) from error

    def statistics(self) -> InformerStatistics:
        """The figures of this moment."""
        return InformerStatistics(
            self.store.statistics(), self._reflector.statistics(), self._resyncs, self._handler_failures
        )

    def _prepare(self, obj: T) -> T:
        kept = self._project(obj)
        share_strings(kept)
        return kept

    def _take(self, change: Change[T]) -> None:
        match change:
            case Applied(obj):
                self._tell(self.store.apply(obj))
            case Removed(obj):
                self._tell(self.store.remove(obj))
            case Replaced(items):
                self._tell(self.store.replace(items, initial=not self.synced))
                if not self.synced:
                    collector.spare(len(items))
                    self._first_list.set()

    def _schedule_resync(self) -> None:
        # A timer of the loop, as timeouts are: it needs no task, and nothing waits for it.
        if self._resync_seconds > 0:
            delay = self._resync_seconds * self._rng.uniform(1 - _RESYNC_JITTER, 1 + _RESYNC_JITTER)
            self._resync_timer = asyncio.get_running_loop().call_later(delay, self._resync)

    def _resync(self) -> None:
        self._schedule_resync()
        self._resyncs += 1
        held = self.store.snapshot().items()
        self._tell(StoreEvent(EventType.MODIFIED, key, obj, obj, unchanged=True) for key, obj in held)

    def _tell(self, events: Iterable[StoreEvent[T]]) -> None:
        for event in events:
            for handler in self._handlers:
                self._call(handler, event)

    def _call(self, handler: Handler[T], event: StoreEvent[T]) -> None:
        try:
            handler(event)
        except Exception:  # noqa: BLE001 - a worker's edge
            # One consumer's bug must not blind all others of this collection.
            self._handler_failures += 1
            self._log.exception("event handler failed", key=event.key, event_type=event.type)
