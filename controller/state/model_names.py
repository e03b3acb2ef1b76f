"""Which InferenceServices of a namespace go by one name: a name that two go by tells requests of neither."""

from collections.abc import Iterable, Iterator

from controller.runtime.cache.store import StoreEvent
from controller.runtime.manifest import Manifest


class ModelNames:
    """Follows an informer of InferenceServices. A service goes by its own name and by its model's id."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, ...]] = {}
        self._keys: dict[tuple[str, str], set[str]] = {}

    def take(self, event: StoreEvent[Manifest]) -> None:
        """Apply one informer event."""
        names = names_of(event.new)
        before = self._names.pop(event.key, ())
        for name in before:
            self._without(event.key, name)
        if names:
            self._names[event.key] = names
        for name in names:
            self._keys.setdefault((_namespace(event.key), name), set()).add(event.key)

    def shared(self, key: str) -> Iterator[tuple[str, list[str]]]:
        """Each name of a service that others of its namespace go by, too, with their keys."""
        for name in self._names.get(key, ()):
            others = sorted(self._keys[_namespace(key), name] - {key})
            if others:
                yield name, others

    def known_by(self, namespace: str, names: Iterable[str]) -> set[str]:
        """Keys of the services of a namespace that go by any of these names."""
        return set().union(*(self._keys.get((namespace, name), ()) for name in names))

    def _without(self, key: str, name: str) -> None:
        place = (_namespace(key), name)
        self._keys[place].discard(key)
        if not self._keys[place]:
            del self._keys[place]


def names_of(service: Manifest | None) -> tuple[str, ...]:
    """What requests may call the service, within its namespace; of none, or one that cannot be read, nothing."""
    if service is None:
        return ()
    model = ((service.get("spec") or {}).get("model") or {}).get("id")
    return tuple(dict.fromkeys(name for name in (service["metadata"].get("name"), model) if name))


def _namespace(key: str) -> str:
    return key.partition("/")[0]
