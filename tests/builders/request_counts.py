"""What the gateway counted of a service's requests, as its status has it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from api.formats import rfc3339
from controller.qos.slo_counts import RequestCounts, Tally


def counts_text(now: datetime, *spans: tuple[float, int, int]) -> str:
    """`spans`: (minutes ago, requests, slow ones among them)."""
    counts = RequestCounts()
    for minutes, requests, slow in sorted(spans, reverse=True):
        counts.add(now.timestamp() - 60 * minutes, Tally(requests, slow))
    return counts.text(now.timestamp())


def steadily(share: float, over: int, *, until: int = 0, requests: int = 100) -> list[tuple[float, int, int]]:
    """So many requests each minute from `over` minutes ago to `until` ago, that share of them slow."""
    return [(minute, requests, round(share * requests)) for minute in range(until, over)]


def shard_counts(
    now: datetime,
    spans: Iterable[tuple[float, int, int]],
    *,
    shard: int = 0,
    metric: str = "timeToFirstToken",
    threshold: str = "500ms",
) -> dict[str, Any]:
    """One shard's entry of status.requestCounts, with the counts of one objective."""
    counted = {"metric": metric, "threshold": threshold, "counts": counts_text(now, *spans)}
    return {"shard": shard, "time": rfc3339(now), "objectives": [counted]}
