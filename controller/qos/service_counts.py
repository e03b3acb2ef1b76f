"""Requests of one service, or of one shard of it, counted against its objectives while they are answered.

    outcome of a request -> answered, failed or abandoned (a few additions) -> take, each minute -> RequestCounts

Not counted are requests that say nothing about the service: those that its caller got wrong, or sent too fast.
"""

from collections.abc import Iterable
from typing import Final, Literal

from controller.qos.slo_counts import Tally

Metric = Literal["requestLatency", "timeToFirstToken", "timePerOutputToken", "queueWait"]
"""What an objective measures, as the API has it."""

#: The API's durations have nine digits before the point.
_MOST_MILLISECONDS: Final = 1_000_000_000


def threshold_text(seconds: float) -> str:
    """A threshold as the duration by which its counts are found again, however the spec spells it: 0.5 is "500ms"."""
    in_milliseconds = seconds < _MOST_MILLISECONDS / 1000
    text = f"{seconds * 1000 if in_milliseconds else seconds:.3f}".rstrip("0").rstrip(".")
    return f"{text}ms" if in_milliseconds else f"{text}s"


class _Counter:
    """What was counted of one objective since it was taken."""

    __slots__ = ("metric", "requests", "slow", "threshold")

    def __init__(self, metric: Metric, threshold: float) -> None:
        self.metric: Metric = metric
        self.threshold = threshold
        self.requests = 0
        self.slow = 0


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
        """What was counted since the last time, by metric and threshold in seconds; it counts no more here."""
        taken = [
            (counter.metric, counter.threshold, Tally(counter.requests, counter.slow))
            for counter in self._counters
            if counter.requests
        ]
        for counter in self._counters:
            counter.requests = counter.slow = 0
        return taken

    def continued(self, objectives: Iterable[tuple[Metric, float]]) -> "ServiceCounts":
        """Counts for other objectives, which go on where an objective stays."""
        following = ServiceCounts(objectives)
        ours = {(counter.metric, counter.threshold): counter for counter in self._counters}
        following._counters = tuple(
            ours.get((counter.metric, counter.threshold), counter) for counter in following._counters
        )
        return following
