"""The words between a controller and the function it calls: Request, Result, TerminalError."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """Names the object to reconcile, and nothing else.

    It carries neither the event nor the object on purpose: a reconcile reads the present state, so that any
    number of events collapse into one run. `namespace` is "" for cluster-scoped objects.
    """

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
        return str(self)


@dataclass(frozen=True, slots=True)
class Result:
    """What a reconcile that did not fail asks for.

    `requeue_after`: seconds until it should run again even without an event; None (default): wait for the next
    event; 0: at once. Either way the item's failures are forgotten. A reconcile that raises has no Result: it is
    retried with growing delays.
    """

    requeue_after: float | None = None


class TerminalError(Exception):
    """Raised by a reconcile when trying again cannot help until the object changes; it is logged, not retried."""
