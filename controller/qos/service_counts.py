"""Requests of one service, or of one shard of it, counted against its objectives while they are answered.

    outcome of a request -> answered, failed or abandoned (a few additions) -> settle, each minute -> texts -> status

Not counted are requests that say nothing about the service: those that its caller got wrong, or sent too fast.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from controller.qos.slo_counts import CountsError, RequestCounts, Tally

Metric = Literal["requestLatency", "timeToFirstToken", "timePerOutputToken", "queueWait"]
"""What an objective measures, as the API has it."""

#: The API's durations have nine digits before the point.
_MOST_MILLISECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts as they stand in a status: of one metric, for one threshold (`threshold_text`)."""

    metric: str
    threshold: str
    counts: str


def threshold_text(seconds: float) -> str:
    """A threshold as the duration by which its counts are found again, however the spec spells it: 0.5 is "500ms"."""
    in_milliseconds = seconds < _MOST_MILLISECONDS / 1000
    text = f"{seconds * 1000 if in_milliseconds else seconds:.3f}".rstrip("0").rstrip(".")
    return f"{text}ms" if in_milliseconds else f"{text}s"


class _Counter:
    """What was counted of one objective since it was settled."""

    __slots__ = ("history", "metric", "requests", "slow", "threshold")

    def __init__(self, metric: Metric, threshold: float) -> None:
        self.metric: Metric = metric
        self.threshold = threshold
        self.requests = 0
        self.slow = 0
        self.history = RequestCounts()


class ServiceCounts:
    """Counts the requests of one service against its objectives, each by one call at most."""

    def __init__(self, objectives: Iterable[tuple[Metric, float]]) -> None:
        """`objectives`: metric and threshold in seconds; one that is there twice is counted once."""
        self._counters = tuple(_Counter(metric, threshold) for metric, threshold in dict.fromkeys(objectives))

    @property
    def objectives(self) -> tuple[tuple[Metric, float], ...]:
        """What is counted: metrics and thresholds in seconds."""
        return tuple((counter.metric, counter.threshold) for counter in self._counters)

    def answered(self, latency: float, first_token: float, per_token: float | None, wait: float) -> None:
        """A request was answered in full. Seconds since it arrived, but for `per_token`.

        That is the time of each token after the first, None where there was one only, or nobody knows how many.
        """
        for counter in self._counters:
            metric = counter.metric
            if metric == "requestLatency":
                took: float | None = latency
            elif metric == "timeToFirstToken":
                took = first_token
            elif metric == "queueWait":
                took = wait
            else:
                took = per_token
            if took is not None:
                counter.requests += 1
                if took > counter.threshold:
                    counter.slow += 1

    def failed(self, first_token: float | None, wait: float | None) -> None:
        """A request failed for our sake: refused for want of room or time, or its engine broke.

        Seconds until its first token and until its dispatch, None where it came to neither: that is beyond any
        threshold, and so is its latency. It says nothing about the time of each token.
        """
        for counter in self._counters:
            if counter.metric == "timePerOutputToken":
                continue
            took = {"timeToFirstToken": first_token, "queueWait": wait}.get(counter.metric)
            counter.requests += 1
            if took is None or took > counter.threshold:
                counter.slow += 1

    def abandoned(self, elapsed: float, first_token: float | None, wait: float | None) -> None:
        """The caller went away after `elapsed` seconds: counted where the outcome was known by then.

        Known are what had been measured, and what had not come though its threshold had passed.
        """
        for counter in self._counters:
            if counter.metric == "timePerOutputToken":
                continue
            took = {"timeToFirstToken": first_token, "queueWait": wait}.get(counter.metric)
            if took is None and elapsed <= counter.threshold:
                continue
            counter.requests += 1
            if took is None or took > counter.threshold:
                counter.slow += 1

    def take(self) -> list[tuple[Metric, float, Tally]]:
        """What was counted since the last time, by metric and threshold; it counts no more here.

        For who keeps the history elsewhere: a status, say, that goes on from one process to the next.
        """
        taken = [
            (counter.metric, counter.threshold, Tally(counter.requests, counter.slow))
            for counter in self._counters
            if counter.requests
        ]
        for counter in self._counters:
            counter.requests = counter.slow = 0
        return taken

    def settle(self, now: float) -> bool:
        """Put what was counted since the last time under this moment; whether there was anything."""
        counted = False
        for counter in self._counters:
            if counter.requests:
                counter.history.add(now, Tally(counter.requests, counter.slow))
                counter.requests = counter.slow = 0
                counted = True
        return counted

    def texts(self, now: float) -> tuple["Counted", ...]:
        """The counts of each objective that has any, as they stand in a status."""
        found = (
            Counted(counter.metric, threshold_text(counter.threshold), counter.history.text(now))
            for counter in self._counters
        )
        return tuple(one for one in found if one.counts)

    def restore(self, kept: Iterable["Counted"]) -> list[str]:
        """Add what was counted before, by an earlier process or owner; of objectives that are gone nothing is kept.

        A sentence for each text that is no counts.
        """
        known: dict[tuple[str, str], RequestCounts] = {}
        problems = []
        for one in kept:
            try:
                known[one.metric, one.threshold] = RequestCounts.parse(one.counts)
            except CountsError as error:
                problems.append(f"{one.metric} {one.threshold}: {error}")
        for counter in self._counters:
            before = known.get((counter.metric, threshold_text(counter.threshold)))
            if before is not None:
                counter.history = RequestCounts.merged([counter.history, before])
        return problems

    def continued(self, objectives: Iterable[tuple[Metric, float]]) -> "ServiceCounts":
        """Counts for other objectives, which go on where an objective stays."""
        following = ServiceCounts(objectives)
        ours = {(counter.metric, counter.threshold): counter for counter in self._counters}
        following._counters = tuple(
            ours.get((counter.metric, counter.threshold), counter) for counter in following._counters
        )
        return following
