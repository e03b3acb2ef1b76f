"""The record of what an engine has in flight: a line of JSON for every request that begins or ends.

The engine writes it, and the gateway has no part in it: that is why it can judge the gateway. A request begins when it
has been read whole and is accepted, and ends before its last byte is sent, or when it is known that nobody waits for it
any more: whoever counts from dispatch to the last byte has never fewer in flight than stand here. `at` is the machine's
monotonic clock, which all processes share, so that several records can be read as one.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import IO, Literal, Self

from e2e.engine.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `in_flight`: the engine's sequences after it, waiting ones too; `seats`: how many it serves at once.
    `sequences`: of this request, one for each choice of each of its prompts.

    `event`: "begin", "end", or "gone" for a request whose caller hung up before its end. `at`: monotonic seconds.
    """

    at: float
    engine: str
    partition: str
    model: str
    event: Literal["begin", "end", "gone"]
    request: str
    in_flight: int
    seats: int
    priority: int = 0
    sequences: int = 1

    @classmethod
    def read(cls, line: str) -> Self:
        """The entry of a line. Raises ValueError for what is none."""
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(f"{line!r} is no line of an engine's record: {error}") from error


class Record:
    """Counts and writes. `file` None: only counts. It is flushed line by line: a killed engine's last line is there."""

    def __init__(self, settings: EngineSettings, now: Callable[[], float], file: IO[str] | None) -> None:
        self._settings = settings
        self._now = now
        self._file = file
        self.in_flight = 0
        self.most_in_flight = 0

    def begin(self, request: str, priority: int, sequences: int = 1) -> None:
        """A request was accepted."""
        self.in_flight += sequences
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._write("begin", request, priority, sequences)

    def end(self, request: str, priority: int, sequences: int = 1, *, gone: bool = False) -> None:
        """A request is over; `gone`: because nobody waits for it."""
        self.in_flight -= sequences
        self._write("gone" if gone else "end", request, priority, sequences)

    def _write(self, event: Literal["begin", "end", "gone"], request: str, priority: int, sequences: int) -> None:
        if self._file is None:
            return
        own = self._settings
        names = own.engine, own.partition, own.model
        entry = Entry(self._now(), *names, event, request, self.in_flight, own.seats, priority, sequences)
        self._file.write(f"{json.dumps(asdict(entry))}\n")
        self._file.flush()
