"""The words between a controller and the function it calls: Request, Result, TerminalError."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec


class Request(msgspec.Struct, frozen=True, order=True, cache_hash=True, gc=False):
    """Names the object to reconcile, and nothing else.

    It carries neither the event nor the object on purpose: a reconcile reads the present state, so that any
    number of events collapse into one run. `namespace` is "" for cluster-scoped objects.
    """

    # A msgspec Struct: a queue hashes each request some ten times, and this hash costs a third of a dataclass's.
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def of(cls, key: str) -> "Request":
        """The request for the object at a store key, "namespace/name" or "name"."""
        namespace, _, name = key.rpartition("/")
        return cls(namespace, name)

    @property
    def key(self) -> str:
        """The store key of the object, "namespace/name" or "name"."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Result(msgspec.Struct, frozen=True, gc=False):
    """What a reconcile that did not fail asks for.

    `requeue_after`: seconds until it should run again even without an event; None (default): wait for the next
    event; 0: at once. Either way the item's failures are forgotten.
    `requeue`: run again after the item's backoff, as after a failure but without being one; of no effect together
    with requeue_after. A reconcile that raises has no Result: it is retried with growing delays.
    """

    requeue_after: float | None = None
    requeue: bool = False


class TerminalError(Exception):
    """Raised by a reconcile when trying again cannot help until the object changes; it is logged, not retried."""


ReconcileFunction: TypeAlias = Callable[[Request], Awaitable[Result]]
"""What a controller calls. Safe to repeat at any time: it compares what is with what should be."""
