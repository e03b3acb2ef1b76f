"""A service's objectives and what the gateway counted, as error budgets.

spec.qos.slo + status.requestCounts of every shard -> Watched, one an objective -> status.slo
"""

import math
from dataclasses import dataclass

from api.duration import format_duration
from api.seconds import parse_duration
from api.v1beta1 import InferenceService
from api.v1beta1.service_level import ObjectiveStatus, ObjectiveWindow, ServiceLevelObjective, SLOMetric
from controller.qos.error_budget import Budget, Window, budget_of, needed_share, told
from controller.qos.service_counts import threshold_text
from controller.qos.slo_counts import CountsError, RequestCounts

Target = tuple[str, str]
"""What is counted: a metric and a threshold, as `threshold_text` writes it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One objective, and how well it is kept."""

    objective: ServiceLevelObjective
    budget: Budget

    def __str__(self) -> str:
        one = self.objective
        return f"{one.metric} {one.percentile} {one.threshold}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Counts of one shard that cannot be read, which nobody but the gateway writes."""

    shard: int
    problem: str


def watched(service: InferenceService, now: float) -> tuple[tuple[Watched, ...], tuple[Unreadable, ...]]:
    """Every objective of the spec, in its order, at this moment (seconds since 1970), and the counts left out."""
    objectives = service.spec.qos.slo
    if not objectives:
        return (), ()
    counted, unreadable = _counted(service)
    found = []
    for one in objectives:
        parts = counted.get(_target(one.metric, one.threshold), ())
        needed = needed_share(float(one.percentile.value.removeprefix("p")), float(one.objective))
        found.append(Watched(one, budget_of(RequestCounts.merged(parts), needed, now)))
    return tuple(found), unreadable


def objective_status(one: Watched) -> ObjectiveStatus:
    """The objective as the API shows it."""
    budget = one.budget
    return ObjectiveStatus(
        metric=one.objective.metric,
        percentile=one.objective.percentile,
        threshold=one.objective.threshold,
        needed=percent_up(budget.needed),
        attainment=None if budget.attainment is None else percent_down(budget.attainment),
        budget_left=None if budget.left is None else _decimal(100 * budget.left, 1),
        burning=None if budget.tier is None else _decimal(budget.limit, 2),
        windows=[_window(window) for window in budget.windows],
    )


def burn_text(burn: float) -> str:
    """A burn rate as decimal text, rounded as it is judged."""
    return _decimal(told(burn), 2)


def percent_down(share: float) -> str:
    """A share, 0 to 1, in percent as decimal text, rounded down: it is 100 only where nothing is missing."""
    return _decimal(math.floor(round(share * 100_000, 6)) / 1000, 3)


def percent_up(share: float) -> str:
    """A share, 0 to 1, in percent as decimal text, rounded up: who attains that much attains the share."""
    return _decimal(math.ceil(round(share * 100_000, 6)) / 1000, 3)


def _window(window: Window) -> ObjectiveWindow:
    return ObjectiveWindow(
        window=format_duration(window.seconds),
        requests=window.tally.requests,
        attainment=percent_down(window.attainment),
        burn=burn_text(window.burn),
    )


def _counted(service: InferenceService) -> tuple[dict[Target, list[RequestCounts]], tuple[Unreadable, ...]]:
    """What each shard counted, by what it is about."""
    found: dict[Target, list[RequestCounts]] = {}
    unreadable = []
    for shard in service.status.request_counts:
        for one in shard.objectives:
            try:
                counts = RequestCounts.parse(one.counts)
            except CountsError as error:
                unreadable.append(Unreadable(shard.shard, str(error)))
                continue
            found.setdefault(_target(one.metric, one.threshold), []).append(counts)
    return found, tuple(unreadable)


def _target(metric: SLOMetric, threshold: str) -> Target:
    return metric.value, threshold_text(parse_duration(threshold))


def _decimal(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    trimmed = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if trimmed == "-0" else trimmed
