"""Objects by key, with indexes: what an informer knows, and what changed when it learned something.

Pure: callers hand in whole objects; the store compares, keeps its indexes and answers with the events that handlers
should see. An object is replaced, never changed, so a reader's dict stays what it was.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.runtime.manifest import Manifest, key_of, uid_of, version_of

IndexFunction = Callable[[Manifest], Iterable[str]]
"""The values under which an object is found; must depend on the object alone."""


class EventType(StrEnum):
    """What happened to an object of the store."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class StoreEvent:
    """One change: `old` is None when ADDED, `new` is None when DELETED (`old` may be stale after a relist).

    `initial`: the object was there when we first looked, nothing may have happened to it just now.
    """

    type: EventType
    key: str
    old: Manifest | None
    new: Manifest | None
    initial: bool = False

    @property
    def object(self) -> Manifest:
        """The object as it is, or as it last was."""
        latest = self.new if self.new is not None else self.old
        if latest is None:
            raise ValueError(f"event {self.type} of {self.key}: carries no object")
        return latest


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """Objects held, and how many changes of each sort were seen; `unchanged`: told again what was known."""

    objects: int
    added: int
    modified: int
    deleted: int
    unchanged: int
    index_values: Mapping[str, int]


class Store:
    """The objects of one informer. Read it from the event loop that fills it; nothing here waits."""

    def __init__(self, indexes: Mapping[str, IndexFunction] | None = None) -> None:
        self._objects: dict[str, Manifest] = {}
        self._functions = dict(indexes or {})
        # index -> value -> keys, the keys a dict for its order: equal histories give equal answers
        self._indexes: dict[str, dict[str, dict[str, None]]] = {name: {} for name in self._functions}
        self._counts = dict.fromkeys(EventType, 0)
        self._unchanged = 0

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects

    def get(self, key: str) -> Manifest | None:
        """The object at "namespace/name" (or "name"), None when unknown."""
        return self._objects.get(key)

    def keys(self) -> list[str]:
        """All keys, oldest entry first; a copy."""
        return list(self._objects)

    def values(self) -> list[Manifest]:
        """All objects, oldest entry first; a copy that may be kept across waits."""
        return list(self._objects.values())

    def by_index(self, index: str, value: str) -> list[Manifest]:
        """The objects whose `index` function gave `value`. Raises KeyError for an index that was not declared."""
        if index not in self._indexes:
            raise KeyError(f"index {index!r}: not declared; there are {sorted(self._indexes)}")
        return [self._objects[key] for key in self._indexes[index].get(value, ())]

    def index_values(self, index: str) -> list[str]:
        """The values that `index` holds objects for. Raises KeyError as `by_index` does."""
        if index not in self._indexes:
            raise KeyError(f"index {index!r}: not declared; there are {sorted(self._indexes)}")
        return list(self._indexes[index])

    def statistics(self) -> StoreStatistics:
        """The figures of this moment."""
        return StoreStatistics(
            objects=len(self._objects),
            added=self._counts[EventType.ADDED],
            modified=self._counts[EventType.MODIFIED],
            deleted=self._counts[EventType.DELETED],
            unchanged=self._unchanged,
            index_values={name: len(values) for name, values in self._indexes.items()},
        )

    def apply(self, obj: Manifest, *, initial: bool = False) -> list[StoreEvent]:
        """Keep `obj` and say what that changed: nothing, one event, or two.

        The version already held changes nothing (a duplicate, or a relist). Another uid under the same name is
        two objects: the old one's DELETED comes before the new one's ADDED. Versions are compared for equality
        only: after a restored etcd they go back.
        """
        key = key_of(obj)
        old = self._objects.get(key)
        if old is None:
            return [self._put(EventType.ADDED, key, None, obj, initial)]
        if uid_of(old) != uid_of(obj):
            return [self._drop(key, old), self._put(EventType.ADDED, key, None, obj, initial)]
        if version_of(old) == version_of(obj) and version_of(obj):
            self._unchanged += 1
            return []
        return [self._put(EventType.MODIFIED, key, old, obj, initial)]

    def remove(self, obj: Manifest) -> list[StoreEvent]:
        """Forget the object; `obj` is its last state. No event when it was not held, or is another by uid."""
        key = key_of(obj)
        held = self._objects.get(key)
        if held is None or uid_of(held) != uid_of(obj):
            return []
        self._drop(key, held)
        return [StoreEvent(EventType.DELETED, key, obj, None)]

    def replace(self, items: Iterable[Manifest], *, initial: bool = False) -> list[StoreEvent]:
        """Hold exactly `items`: what is new or changed is applied, what is missing gets the DELETED it never got."""
        listed = {key_of(item): item for item in items}
        events = [self._drop(key, self._objects[key]) for key in self.keys() if key not in listed]
        for item in listed.values():
            events.extend(self.apply(item, initial=initial))
        return events

    def _put(self, kind: EventType, key: str, old: Manifest | None, new: Manifest, initial: bool) -> StoreEvent:
        self._reindex(key, old, new)
        self._objects[key] = new
        self._counts[kind] += 1
        return StoreEvent(kind, key, old, new, initial)

    def _drop(self, key: str, old: Manifest) -> StoreEvent:
        self._reindex(key, old, None)
        del self._objects[key]
        self._counts[EventType.DELETED] += 1
        return StoreEvent(EventType.DELETED, key, old, None)

    def _reindex(self, key: str, old: Manifest | None, new: Manifest | None) -> None:
        for name, values_of in self._functions.items():
            entries = self._indexes[name]
            before = set(values_of(old)) if old is not None else set()
            after = set(values_of(new)) if new is not None else set()
            for value in before - after:
                del entries[value][key]
                if not entries[value]:
                    del entries[value]
            for value in sorted(after - before):
                entries.setdefault(value, {})[key] = None
