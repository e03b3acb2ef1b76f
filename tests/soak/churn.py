"""What happens to the objects during a soak. Pure and seeded: the same seed makes the same history."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

LIVE = 300
"""Objects that are kept alive: churn, not growth, so that memory has one level."""


class Verb(StrEnum):
    """What is done to one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Operation:
    """One change: an update sets spec.size to `size`."""

    verb: Verb
    name: str
    size: int


class Churn:
    """Chooses changes so that about `live` objects exist; every object is new, as those of a cluster are."""

    def __init__(self, rng: Random, live: int = LIVE) -> None:
        self._rng, self._live = rng, live
        self._names: list[str] = []
        self._made = 0

    @property
    def names(self) -> list[str]:
        """The objects that should exist, in no order."""
        return list(self._names)

    def next(self) -> Operation:
        """The next change: half are updates, the rest keeps the number where it belongs."""
        if len(self._names) < self._live * 0.9:
            return self._create()
        if self._rng.random() < 0.5:
            return Operation(Verb.UPDATE, self._rng.choice(self._names), self._rng.randrange(1_000_000))
        return self._create() if len(self._names) < self._live else self._delete()

    def _create(self) -> Operation:
        self._made += 1
        name = f"widget-{self._made:07}"
        self._names.append(name)
        return Operation(Verb.CREATE, name, self._made)

    def _delete(self) -> Operation:
        place = self._rng.randrange(len(self._names))
        self._names[place], self._names[-1] = self._names[-1], self._names[place]
        return Operation(Verb.DELETE, self._names.pop(), 0)
