"""Objects by key, with indexes: what an informer knows, and what changed when it learned something.

Pure: callers hand in whole objects; the store compares, keeps its indexes and answers with the events that handlers
should see. The store replaces objects and never changes one, and nor may a reader: everybody is given the same object.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeAlias

from msgspec import Struct

from controller.runtime.cache.changed import Digests
from controller.runtime.cache.object_type import T
from controller.runtime.manifest import key_of, uid_of, version_of

IndexFunction: TypeAlias = Callable[[T], Iterable[str]]
"""The values under which an object is found; must depend on the object alone."""


class EventType(StrEnum):
    """What happened to an object of the store."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class StoreEvent(Struct, Generic[T], frozen=True, gc=False):
    """One change: `old` is None when ADDED, `new` is None when DELETED (`old` may be stale after a relist).

    `initial`: the object was there when we first looked, nothing may have happened to it just now. `unchanged`: a
    resync's repetition of what is known; `type` is MODIFIED, and `old` is `new`.

    A Struct and no dataclass: one is made for every event of a watch, in 0.08 us instead of 0.8 us.
    """

    type: EventType
    key: str
    old: T | None
    new: T | None
    initial: bool = False
    unchanged: bool = False

    @property
    def object(self) -> T:
        """The object as it is, or as it last was."""
        latest = self.new if self.new is not None else self.old
        if latest is None:
            raise ValueError(f"event {self.type} of {self.key}: carries no object")
        return latest


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """Objects held, and how many changes of each sort were seen.

    `unchanged`: told again what was known. `copies`: tables copied because a snapshot of them was out.
    """

    objects: int
    added: int
    modified: int
    deleted: int
    unchanged: int
    copies: int
    index_values: Mapping[str, int]


class Store(Generic[T]):
    """The objects of one informer. Read it from the event loop that fills it; nothing here waits.

    `checked`: for tests; every change and `statistics` raise ObjectChanged once a reader has changed an object that
    is held. It costs an encoding of all objects each time.
    """

    def __init__(self, indexes: Mapping[str, IndexFunction[T]] | None = None, *, checked: bool = False) -> None:
        self._objects: dict[str, T] = {}
        self._snapshot: Mapping[str, T] | None = None
        self._digests = Digests() if checked else None
        self._functions = dict(indexes or {})
        # index -> value -> keys, the keys a dict for its order: equal histories give equal answers
        self._indexes: dict[str, dict[str, dict[str, None]]] = {name: {} for name in self._functions}
        self._counts = dict.fromkeys(EventType, 0)
        self._unchanged = 0
        self._copies = 0

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects

    def get(self, key: str) -> T | None:
        """The object at "namespace/name" (or "name"), None when unknown."""
        return self._objects.get(key)

    def keys(self) -> list[str]:
        """All keys, oldest entry first; a copy."""
        return list(self._objects)

    def values(self) -> list[T]:
        """All objects, oldest entry first; a copy that may be kept across waits."""
        return list(self._objects.values())

    def snapshot(self) -> Mapping[str, T]:
        """All objects by key as they are now, oldest entry first; may be kept across waits.

        The table never changes: it keeps its keys, and under each the same object. The objects are the store's own,
        shared and not copied: dicts can be written to, and must not be (`copy.deepcopy` first); Structs refuse it,
        but for the maps in them, labels and annotations. `checked` finds who does.

        Taking it costs nothing. The first change after it copies the table once (0.04 ms for 10,000 objects, 0.6 ms
        for 100,000), however many snapshots were taken before; objects are not copied.
        """
        if self._snapshot is None:
            self._snapshot = MappingProxyType(self._objects)
        return self._snapshot

    def by_index(self, index: str, value: str) -> list[T]:
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
        self._check()
        return StoreStatistics(
            objects=len(self._objects),
            added=self._counts[EventType.ADDED],
            modified=self._counts[EventType.MODIFIED],
            deleted=self._counts[EventType.DELETED],
            unchanged=self._unchanged,
            copies=self._copies,
            index_values={name: len(values) for name, values in self._indexes.items()},
        )

    def apply(self, obj: T, *, initial: bool = False) -> list[StoreEvent[T]]:
        """Keep `obj` and say what that changed: nothing, one event, or two.

        What is held already changes nothing (a duplicate, or a relist), and the object held stays. Another uid under
        the same name is two objects: the old one's DELETED comes before the new one's ADDED. After a restored etcd
        versions go back, and one may come again with other content: so they are compared for equality only, and an
        equal one is believed only of an equal object.
        """
        self._check()
        return self._apply(obj, initial)

    def _apply(self, obj: T, initial: bool) -> list[StoreEvent[T]]:
        key = key_of(obj)
        old = self._objects.get(key)
        if old is None:
            return [self._put(EventType.ADDED, key, None, obj, initial)]
        if uid_of(old) != uid_of(obj):
            return [self._drop(key, old), self._put(EventType.ADDED, key, None, obj, initial)]
        if (version := version_of(obj)) and version == version_of(old) and obj == old:
            self._unchanged += 1
            return []
        return [self._put(EventType.MODIFIED, key, old, obj, initial)]

    def remove(self, obj: T) -> list[StoreEvent[T]]:
        """Forget the object; `obj` is its last state. No event when it was not held, or is another by uid."""
        self._check()
        key = key_of(obj)
        held = self._objects.get(key)
        if held is None or uid_of(held) != uid_of(obj):
            return []
        self._drop(key, held)
        return [StoreEvent(EventType.DELETED, key, obj, None)]

    def replace(self, items: Iterable[T], *, initial: bool = False) -> list[StoreEvent[T]]:
        """Hold exactly `items`: what is new or changed is applied, what is missing gets the DELETED it never got."""
        self._check()
        listed = {key_of(item): item for item in items}
        events = [self._drop(key, self._objects[key]) for key in self.keys() if key not in listed]
        for item in listed.values():
            events.extend(self._apply(item, initial))
        return events

    def _put(self, kind: EventType, key: str, old: T | None, new: T, initial: bool) -> StoreEvent[T]:
        self._reindex(key, old, new)
        self._leave_snapshot()
        self._objects[key] = new
        if self._digests is not None:
            self._digests.keep(key, new)
        self._counts[kind] += 1
        return StoreEvent(kind, key, old, new, initial)

    def _drop(self, key: str, old: T) -> StoreEvent[T]:
        self._reindex(key, old, None)
        self._leave_snapshot()
        del self._objects[key]
        if self._digests is not None:
            self._digests.drop(key)
        self._counts[EventType.DELETED] += 1
        return StoreEvent(EventType.DELETED, key, old, None)

    def _check(self) -> None:
        if self._digests is not None:
            self._digests.check(self._objects.items())

    def _leave_snapshot(self) -> None:
        if self._snapshot is not None:
            self._objects, self._snapshot = dict(self._objects), None
            self._copies += 1

    def _reindex(self, key: str, old: T | None, new: T | None) -> None:
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
