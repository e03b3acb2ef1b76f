"""How much of the map's server one person may use: streams and questions at once, and requests a while. No I/O."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from controller.runtime.clock import Clock

#: Pages of one person at once.
MOST_STREAMS: Final = 8
#: Questions of one person that are answered or wait.
MOST_QUESTIONS: Final = 2
#: What a person has at most, what a request and a question take of it, and what comes back a second.
BURST: Final = 60.0
REQUEST: Final = 1.0
QUESTION: Final = 10.0
A_SECOND: Final = 5.0
#: People who are remembered; those with nothing under way are forgotten first.
CAPACITY: Final = 4096


class TooMuch(Exception):
    """More than one person may ask for; `retry` is in seconds."""

    def __init__(self, sentence: str, retry: float) -> None:
        super().__init__(sentence)
        self.retry = max(1, round(retry + 0.5))


@dataclass(slots=True)
class _Person:
    left: float
    at: float
    streams: int = 0
    questions: int = 0


class Limits:
    """Counts for each person, by name."""

    def __init__(self, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._clock, self._capacity = clock, capacity
        self._people: OrderedDict[str, _Person] = OrderedDict()

    def request(self, who: str, cost: float = REQUEST) -> None:
        """Take a request of somebody. Raises TooMuch."""
        person, now = self._person(who), self._clock.monotonic()
        person.left, person.at = min(BURST, person.left + (now - person.at) * A_SECOND), now
        if person.left < cost:
            raise TooMuch("too many requests of yours; ask again in a moment", (cost - person.left) / A_SECOND)
        person.left -= cost

    @contextmanager
    def stream(self, who: str) -> Iterator[None]:
        """A stream of somebody, while the context lasts. Raises TooMuch."""
        person = self._person(who)
        if person.streams >= MOST_STREAMS:
            raise TooMuch(f"{MOST_STREAMS} pages of yours are open, which is as many as are served; close one", 10)
        person.streams += 1
        try:
            yield
        finally:
            person.streams -= 1

    @contextmanager
    def question(self, who: str) -> Iterator[None]:
        """A question of somebody, until it is answered. Raises TooMuch."""
        person = self._person(who)
        if person.questions >= MOST_QUESTIONS:
            raise TooMuch("questions of yours wait for an answer; ask again when they have it", 1)
        self.request(who, QUESTION)
        person.questions += 1
        try:
            yield
        finally:
            person.questions -= 1

    def _person(self, who: str) -> _Person:
        person = self._people.get(who)
        if person is None:
            person = self._people[who] = _Person(BURST, self._clock.monotonic())
            self._forget()
        self._people.move_to_end(who)
        return person

    def _forget(self) -> None:
        """Drop who has nothing under way, the longest unseen first, down to the capacity."""
        idle = (name for name, each in list(self._people.items())[:-1] if not (each.streams or each.questions))
        while len(self._people) > self._capacity and (name := next(idle, None)) is not None:
            del self._people[name]
