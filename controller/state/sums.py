"""Sums over many entries, kept up entry by entry: a change costs what the entry has, however many there are."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Sums(Generic[T]):
    """What entries have, by key, added up. Integers alone, so that what is taken off again leaves nothing behind."""

    def __init__(self) -> None:
        self._entries: dict[str, Mapping[T, int]] = {}
        self._totals: Counter[T] = Counter()

    def put(self, entry: str, amounts: Mapping[T, int]) -> None:
        """The entry has these amounts from now on, and nothing of before; none: it is gone."""
        for key, amount in self._entries.pop(entry, {}).items():
            self._totals[key] -= amount
            if not self._totals[key]:
                del self._totals[key]
        if amounts:
            self._entries[entry] = amounts
            for key, amount in amounts.items():
                if amount:
                    self._totals[key] += amount

    @property
    def totals(self) -> Mapping[T, int]:
        """The sums that are not 0."""
        return self._totals


class Vectors:
    """The same of rows of integers of one length: what entries have, by key, added up place by place."""

    def __init__(self) -> None:
        self._entries: dict[str, Mapping[str, Sequence[int]]] = {}
        self._totals: dict[str, list[int]] = {}

    def put(self, entry: str, amounts: Mapping[str, Sequence[int]]) -> None:
        """The entry has these amounts from now on, and nothing of before; none: it is gone."""
        for key, row in self._entries.pop(entry, {}).items():
            self._totals[key] = [total - each for total, each in zip(self._totals[key], row, strict=True)]
        if amounts:
            self._entries[entry] = amounts
            for key, row in amounts.items():
                before = self._totals.get(key)
                self._totals[key] = (
                    list(row) if before is None else [total + each for total, each in zip(before, row, strict=True)]
                )

    @property
    def totals(self) -> Mapping[str, Sequence[int]]:
        """The sums, of keys that no entry has any more as well."""
        return self._totals
