"""Service level objectives: what a service is to keep, what was counted of it, and how well it is kept.

An objective allows so many requests to be slow: all but percentile times objective, so that p99 for 99 % of the time
needs 98.01 % of the requests within the threshold. Those that may be slower are its error budget, the rate at which
they are used up its burn.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from api.defaults import no_items
from api.duration import DurationText, longer_than_zero
from api.formats import Timestamp
from api.markers import ATOMIC, Remedy, Rule, rules, with_value
from api.object import ApiModel


class SLOMetric(StrEnum):
    """What a service level objective measures."""

    REQUEST_LATENCY = "requestLatency"
    TIME_TO_FIRST_TOKEN = "timeToFirstToken"  # noqa: S105 - a metric, no secret
    TIME_PER_OUTPUT_TOKEN = "timePerOutputToken"  # noqa: S105 - a metric, no secret
    QUEUE_WAIT = "queueWait"


class Percentile(StrEnum):
    """Which of the requests a threshold is meant for."""

    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"
    P999 = "p99.9"


_NEVER_KEPT = "can never be kept: write more than 0, such as 500ms"
_ASKS_NOTHING = "asks for nothing: write the percent of the time that the threshold is kept, such as 99.5"

PercentText = Annotated[
    str,
    StringConstraints(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$", max_length=32),
    Remedy("is no percentage: write a number up to 100 with at most three decimals, such as 99.5"),
]
"""Percent as decimal text, ``0`` to ``100``."""


class ServiceLevelObjective(ApiModel):
    """One objective: a percentile stays below a threshold for so many percent of the time."""

    metric: SLOMetric = Field(
        description="What is measured of each request: requestLatency (from first to last byte), timeToFirstToken, "
        "timePerOutputToken (after the first) or queueWait."
    )
    percentile: Percentile = Field(
        default=Percentile.P99,
        description="The percentile of the requests that is compared with the threshold, p50 to p99.9.",
    )
    threshold: DurationText = Field(
        description="What the percentile may reach, as a duration such as 500ms.",
        json_schema_extra=rules(longer_than_zero(_NEVER_KEPT)),
    )
    objective: PercentText = Field(
        default="99",
        description="Percent of the time the threshold has to be kept, above 0 and up to 100, as decimal text such as "
        "99.5.",
        json_schema_extra=rules(Rule("!self.matches('^[0.]+$')", _ASKS_NOTHING, with_value(_ASKS_NOTHING))),
    )


NumberText = Annotated[
    str,
    StringConstraints(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,4})?$", max_length=32),
    Remedy("is no decimal number: write it with at most four decimals, such as 14.4"),
]
"""A number as decimal text."""


class ObjectiveWindow(ApiModel):
    """What happened in the time up to now."""

    window: DurationText = Field(description="How far back, as a duration: 5m, 30m, 1h, 6h, 72h or 720h.")
    requests: int = Field(ge=0, description="Requests that were counted in it, or a little before it.")
    attainment: NumberText = Field(description="Percent of them within the threshold, as decimal text.")
    burn: NumberText = Field(
        description="How many times faster than the objective allows its error budget was used up, as decimal text; 1 "
        "uses it up in exactly its period."
    )


class ObjectiveStatus(ApiModel):
    """How well one objective is kept."""

    metric: SLOMetric = Field(description="The objective's metric.")
    percentile: Percentile = Field(description="The objective's percentile.")
    threshold: DurationText = Field(description="The objective's threshold.")
    needed: NumberText = Field(
        description="Percent of the requests that have to be within the threshold, as decimal text: percentile times "
        "objective."
    )
    attainment: NumberText | None = Field(
        default=None,
        description="Percent of the requests of the last 30 days that were, as decimal text; absent: there were none.",
    )
    budget_left: NumberText | None = Field(
        default=None,
        description="Percent of the error budget of those 30 days that is left, as decimal text, below 0 where more "
        "was used; absent: there were no requests.",
    )
    burning: NumberText | None = Field(
        default=None,
        description="The burn rate above which the budget is used up, 14.4 (over 1h and 5m), 6 (6h and 30m) or 1 (72h "
        "and 6h), or less than these where the objective allows many requests to be slow, as decimal text; absent: it "
        "lasts.",
    )
    windows: list[ObjectiveWindow] = Field(
        default_factory=no_items,
        max_length=8,
        description="What happened in 5m, 30m, 1h, 6h, 72h and 720h, those with requests.",
        json_schema_extra=ATOMIC,
    )


CountsText = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9@=,/; -]*$", max_length=4096),
    Remedy("are no counts: they are written by the gateway alone"),
]
"""Counts in the compact form of ``controller.qos.slo_counts``."""


class ObjectiveCounts(ApiModel):
    """Requests of one objective, counted a minute, then a longer span for those longer ago."""

    metric: SLOMetric = Field(description="The objective's metric.")
    threshold: DurationText = Field(description="The objective's threshold.")
    counts: CountsText = Field(
        description="Spans with the requests that were counted in them and, after a dash, those beyond the threshold: "
        "for each length in seconds, the number of the latest span since 1970, and the spans from that one backwards."
    )


class ShardCounts(ApiModel):
    """Requests of the service that one shard of the gateway counted."""

    shard: int = Field(ge=0, le=63, description="Number of the shard.")
    time: Timestamp = Field(description="When it was written.")
    objectives: list[ObjectiveCounts] = Field(
        default_factory=no_items,
        max_length=8,
        description="Its counts, an entry for each metric and threshold of spec.qos.slo.",
        json_schema_extra=ATOMIC,
    )
