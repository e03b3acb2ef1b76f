"""Who is to order the next request for a service whose partitions several replicas have. Pure.

By turns, in proportion to weights, and without bursts (nginx's smooth round robin): after as many requests as the
weights sum up to each has had exactly its part.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Gives out `choices`, each as often as its weight says. Raises ValueError without any, or for a weight below 1."""

    def __init__(self, choices: Sequence[tuple[T, int]]) -> None:
        if not choices:
            raise ValueError("choices: empty; give at least one")
        for choice, weight in choices:
            if weight < 1:
                raise ValueError(f"weight {weight} of {choice}: give 1 or more")
        self._choices = choices
        self._total = sum(weight for _, weight in choices)
        self._credit = [0] * len(choices)

    def next(self) -> T:
        """Whose turn it is."""
        credit = self._credit
        best = 0
        for at, (_, weight) in enumerate(self._choices):
            credit[at] += weight
            if credit[at] > credit[best]:
                best = at
        credit[best] -= self._total
        return self._choices[best][0]


def weight(seats: int, waiting: int) -> int:
    """How often a replica is chosen that has so many of a service's seats, and so many of its requests waiting."""
    return max(1, round(_FINENESS * seats * seats / (seats + waiting))) if seats else 1


_FINENESS = 4
