"""A collection of one kind, translated once an event instead of once a read."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from controller.runtime.cache.store import StoreEvent
from controller.runtime.logger import Logger
from controller.runtime.manifest import AnyObject, kind_of

S = TypeVar("S", bound=AnyObject)
T = TypeVar("T")

log = Logger(__name__)


class Table(Generic[S, T]):
    """Rows of `T` by store key, following an informer of `S`.

    An object that cannot be translated has no row: it is logged and left out, so that one malformed object of a user
    cannot stop the operator for all others.
    """

    def __init__(self, translate: Callable[[S], T]) -> None:
        self._translate = translate
        self._rows: dict[str, T] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, event: StoreEvent[S]) -> None:
        """Apply one informer event."""
        self._rows.pop(event.key, None)
        if event.new is None:
            return
        try:
            self._rows[event.key] = self._translate(event.new)
        except (ValueError, KeyError) as error:
            log.warning("object not understood", key=event.key, kind=kind_of(event.new), error=str(error))

    def get(self, key: str) -> T | None:
        """The row of a store key, None when there is none."""
        return self._rows.get(key)

    def keys(self) -> Iterator[str]:
        """Keys of this moment."""
        return iter(tuple(self._rows))

    def items(self) -> Iterator[tuple[str, T]]:
        """Keys and rows of this moment."""
        return iter(tuple(self._rows.items()))

    def values(self) -> Iterator[T]:
        """Rows of this moment."""
        return iter(tuple(self._rows.values()))
