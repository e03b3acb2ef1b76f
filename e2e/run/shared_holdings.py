"""Who shares what with whom, kept up object by object: a check reads the few that could be at fault, not all. Pure.

In a burst each of a thousand claims changes several times; a check that reads all of them each time would take more of
the machine than what it watches.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable

from e2e.run.world import Object, key_of


class SharedHoldings:
    """Objects by what `held` says that each of them has."""

    def __init__(self, held: Callable[[Object], Iterable[Hashable]]) -> None:
        self._held = held
        self._objects: dict[str, Object] = {}
        self._holders: dict[Hashable, set[str]] = defaultdict(set)

    def take(self, old: Object | None, new: Object | None) -> list[Object]:
        """One change; `new`, and every other object that has something of what it has. Empty for one that is gone."""
        if old is not None:
            self._drop(key_of(old))
        if new is None:
            return []
        key = key_of(new)
        self._objects[key] = new
        things = list(self._held(new))
        for thing in things:
            self._holders[thing].add(key)
        sharing = {key}.union(*(self._holders[thing] for thing in things))
        return [self._objects[each] for each in sorted(sharing)]

    def _drop(self, key: str) -> None:
        before = self._objects.pop(key, None)
        for thing in self._held(before) if before is not None else ():
            self._holders[thing].discard(key)
            if not self._holders[thing]:
                del self._holders[thing]
