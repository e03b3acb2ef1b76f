"""Which events are worth a reconcile: pure functions from an event to bool, and ways to combine them.

Those named `..._changed` answer for updates only: a creation or deletion always passes.

    controller.for_(widgets, predicates=[any_of(generation_changed, labels_changed)])
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import AnyObject, annotations_of, generation_of, labels_of, version_of

Predicate: TypeAlias = Callable[[StoreEvent[Any]], bool]
"""True: reconcile. Must be quick, look at the event alone, and change nothing."""


def resource_version_changed(event: StoreEvent[Any]) -> bool:
    """The object differs in anything at all; a resync's repetition does not."""
    return _differs(event, version_of)


def generation_changed(event: StoreEvent[Any]) -> bool:
    """The desired state differs: metadata (except deletion) and status do not count.

    Only of use for kinds whose generation the server counts: custom resources with a status subresource, and
    built-in ones with a spec that controllers act upon.
    """
    return _differs(event, generation_of)


def labels_changed(event: StoreEvent[Any]) -> bool:
    """A label was added, removed or got another value."""
    return _differs(event, labels_of)


def annotations_changed(event: StoreEvent[Any]) -> bool:
    """An annotation was added, removed or got another value."""
    return _differs(event, annotations_of)


def any_of(*predicates: Predicate) -> Predicate:
    """One of them is enough. Of none: nothing passes."""
    return lambda event: any(predicate(event) for predicate in predicates)


def all_of(*predicates: Predicate) -> Predicate:
    """Each must agree. Of none: everything passes."""
    return lambda event: all(predicate(event) for predicate in predicates)


def negated(predicate: Predicate) -> Predicate:
    """What `predicate` refuses, creations and deletions included."""
    return lambda event: not predicate(event)


def _differs(event: StoreEvent[Any], value_of: Callable[[AnyObject], object]) -> bool:
    old, new = event.old, event.new
    return old is None or new is None or value_of(old) != value_of(new)
