"""What requests took in the last seconds, by service, and counts since the start. Pure: it is told the time."""

from collections import Counter, defaultdict, deque
from collections.abc import Container, Iterable
from dataclasses import dataclass

from e2e.run.latency import percentile
from e2e.run.traffic.sent import Sent

WINDOW_SECONDS = 30.0
MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Figures:
    """One service in the window. Milliseconds; None without an answer. `waiting`: sent and not over.

    `rate`: answers a second. `refused`: requests without an answer, by reason.
    """

    service: str
    waiting: int
    rate: float
    first_p50_ms: float | None
    first_p99_ms: float | None
    whole_p50_ms: float | None
    whole_p99_ms: float | None
    refused: dict[str, int]


class Latencies:
    """Fed with every request that is over. `answered` and `refused` are counts since the start."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[Sent]] = defaultdict(lambda: deque(maxlen=MOST_KEPT))
        self._waiting: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()

    def begin(self, service: str) -> None:
        """A request is about to be sent."""
        self._waiting[service] += 1

    def end(self, sent: Sent) -> None:
        """It is over."""
        self._waiting[sent.service] -= 1
        self._recent[sent.service].append(sent)
        if sent.answered:
            self.answered[sent.service] += 1
        else:
            self.refused[sent.service, sent.reason] += 1

    def figures(self, now: float) -> list[Figures]:
        """Every service that was ever asked, by name."""
        return [self._figures(service, now) for service in sorted(self._waiting)]

    def first_seconds(self, *, leave_out: Container[str] = ()) -> list[float | None]:
        """Until the first token, of every answered request that is kept."""
        kept = (sent for service, recent in self._recent.items() if service not in leave_out for sent in recent)
        return [sent.first for sent in kept if sent.answered]

    def _figures(self, service: str, now: float) -> Figures:
        recent = [sent for sent in self._recent[service] if sent.at + (sent.whole or 0.0) >= now - WINDOW_SECONDS]
        answered = [sent for sent in recent if sent.answered]
        since = min((sent.at for sent in recent), default=now)
        first, whole = [sent.first for sent in answered], [sent.whole for sent in answered]
        return Figures(
            service,
            self._waiting[service],
            len(answered) / max(1.0, min(WINDOW_SECONDS, now - since)),
            milliseconds(first, 50),
            milliseconds(first, 99),
            milliseconds(whole, 50),
            milliseconds(whole, 99),
            dict(Counter(sent.reason for sent in recent if not sent.answered)),
        )


def milliseconds(seconds: Iterable[float | None], percent: float) -> float | None:
    """A percentile of seconds in milliseconds, to a tenth; None without any."""
    found = percentile([value for value in seconds if value is not None], percent)
    return None if found is None else round(found * 1000, 1)
