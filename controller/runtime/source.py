"""Where requests come from: an informer's events, filtered by predicates and mapped to what they concern.

A source's handler runs in the event loop for every event of its informer, so it looks and enqueues, nothing more.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.resource import Resource
from controller.runtime.manifest import AnyObject, owner_references_of, version_of
from controller.runtime.predicate import Predicate
from controller.runtime.reconcile import Request

NORMAL = 0
"""The priority of what just happened."""

LOW = -100
"""The priority of what may not need a reconcile at all: objects of the first list, repetitions of a resync."""

Handler: TypeAlias = Callable[[StoreEvent[Any]], None]
EventMapping: TypeAlias = Callable[[StoreEvent[Any]], Iterable[Request | tuple[Request, int]]]
"""The requests that an event calls for, each alone or with a priority of its own."""


class Source(Protocol):
    """What a controller asks of an informer; anything else that tells events can stand in for one."""

    def add_handler(self, handler: Handler) -> object:
        """Call `handler` with every event from now on, and at once with an initial one for each object there is."""
        ...

    async def wait_synced(self, timeout: float) -> None:
        """Wait until the handlers were given all that there was at first. Raises TimeoutError."""
        ...


def itself(event: StoreEvent[Any]) -> tuple[Request]:
    """The object of the event."""
    return (Request.of(event.key),)


def controller_owner(owner: Resource) -> EventMapping:
    """The object of kind `owner` that manages the event's object: its owner reference with `controller: true`.

    The group must match and the version need not: a reference keeps the version it was written with. An update
    that changed the owner concerns both.
    """

    def owners(event: StoreEvent[Any]) -> Iterable[Request]:
        found = [_owner_of(obj, owner, event.key) for obj in (event.new, event.old) if obj is not None]
        return dict.fromkeys(request for request in found if request is not None)

    return owners


def _owner_of(obj: AnyObject, owner: Resource, key: str) -> Request | None:
    for reference in owner_references_of(obj):
        if reference.controller and reference.kind == owner.kind:
            group, _, _ = reference.api_version.rpartition("/")
            if group == owner.group:
                namespace = key.rpartition("/")[0] if owner.namespaced else ""
                return Request(namespace, reference.name)
    return None


def handler_of(
    map_event: EventMapping, predicates: Sequence[Predicate], add: Callable[[Request, int], None], *, on_resync: bool
) -> Handler:
    """A handler that adds what `map_event` answers to each event that all `predicates` let pass.

    An update that did not change the resourceVersion is dropped unless `on_resync`: nothing happened.
    """
    checks = tuple(predicates)

    def handle(event: StoreEvent[Any]) -> None:
        repeated = _repeats(event)
        if repeated and not on_resync:
            return
        for check in checks:
            if not check(event):
                return
        usual = LOW if repeated or event.initial else NORMAL
        for request in map_event(event):
            if isinstance(request, Request):
                add(request, usual)
            else:
                add(*request)

    return handle


def _repeats(event: StoreEvent[Any]) -> bool:
    old, new = event.old, event.new
    if old is None or new is None:
        return False
    # An object without a version (there are none on a real server) can only be told by its identity, and an equal
    # version is no proof: after a restored etcd it comes again with other content.
    return old is new or (version_of(old) == version_of(new) != "" and old == new)
