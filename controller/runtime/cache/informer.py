"""One collection, kept current: a store to read and handlers to tell.

One informer is one watch: controllers that need the same collection share it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import structlog

from controller.runtime.cache.reflection import Applied, Change, ReflectionStatistics, Removed, Replaced
from controller.runtime.cache.reflector import Reflector
from controller.runtime.cache.store import EventType, IndexFunction, Store, StoreEvent, StoreStatistics
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock, RealClock
from controller.runtime.manifest import Manifest

Handler = Callable[[StoreEvent], None]


class CacheNotSynced(TimeoutError):
    """A first list did not succeed in time; the text names the resource and the last error."""


@dataclass(frozen=True, slots=True)
class InformerStatistics:
    """The store's and the reflection's figures, and how many calls of handlers raised."""

    store: StoreStatistics
    reflection: ReflectionStatistics
    handler_failures: int


def without_managed_fields(obj: Manifest) -> Manifest:
    """The projection of an informer that is given none: a third of a typical object, which no controller reads."""
    obj["metadata"].pop("managedFields", None)
    return obj


class Informer:
    """A store of `resource`, filled by `run`.

    `namespace` None: all. `project` gets each object fresh from the wire, may change it, and returns what to keep
    (metadata with name, namespace, uid and resourceVersion must stay); None drops managedFields. `indexes`: see
    `Store.by_index`.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        project: Callable[[Manifest], Manifest] | None = None,
        indexes: Mapping[str, IndexFunction] | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        self.resource = resource
        self.store = Store(indexes)
        self._project = project or without_managed_fields
        self._handlers: list[Handler] = []
        self._handler_failures = 0
        self._first_list = asyncio.Event()
        self._log = structlog.get_logger(__name__).bind(resource=str(resource))
        self._reflector = Reflector(
            client,
            resource,
            Selection(namespace, label_selector, field_selector),
            self._take,
            clock=clock or RealClock(),
            rng=rng or Random(),  # noqa: S311 - spreads load, guards nothing
        )

    def __str__(self) -> str:
        return f"informer of {self.resource}"

    @property
    def synced(self) -> bool:
        """Whether the first list is in the store, and its events were given to the handlers."""
        return self._first_list.is_set()

    def add_handler(self, handler: Handler) -> None:
        """Call `handler` with every change from now on, and at once with an initial ADDED for what is there.

        Called in the event loop, in order, never concurrently; it must be quick. What it raises is logged and
        counted, and neither stops the informer nor other handlers.
        """
        self._handlers.append(handler)
        for key, obj in zip(self.store.keys(), self.store.values(), strict=True):
            self._call(handler, StoreEvent(EventType.ADDED, key, None, obj, initial=True))

    async def run(self) -> None:
        """Fill the store and keep it current until cancelled. The store stays as it was then."""
        await self._reflector.run()

    async def wait_synced(self, timeout: float) -> None:
        """Wait for the first list, at most `timeout` seconds. Raises CacheNotSynced."""
        try:
            async with asyncio.timeout(timeout):
                await self._first_list.wait()
        except TimeoutError as error:
            raise CacheNotSynced(
                f"{self.resource}: not listed within {timeout} s; last error: {self._reflector.last_error}"
            ) from error

    def statistics(self) -> InformerStatistics:
        """The figures of this moment."""
        return InformerStatistics(self.store.statistics(), self._reflector.statistics(), self._handler_failures)

    def _take(self, change: Change) -> None:
        match change:
            case Applied(obj):
                events = self.store.apply(self._project(obj))
            case Removed(obj):
                events = self.store.remove(self._project(obj))
            case Replaced(items):
                projected = [self._project(item) for item in items]
                events = self.store.replace(projected, initial=not self.synced)
        for event in events:
            for handler in self._handlers:
                self._call(handler, event)
        if isinstance(change, Replaced):
            self._first_list.set()

    def _call(self, handler: Handler, event: StoreEvent) -> None:
        try:
            handler(event)
        except Exception:  # noqa: BLE001 - a worker's edge
            # One consumer's bug must not blind all others of this collection.
            self._handler_failures += 1
            self._log.exception("event handler failed", key=event.key, event_type=event.type)
