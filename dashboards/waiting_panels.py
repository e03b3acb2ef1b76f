"""Who waits for a partition, and why: panels of more than one dashboard."""

from grafana_foundation_sdk.builders import timeseries

from controller.telemetry.instruments import SCHEDULER_OLDEST_PENDING, SCHEDULER_PENDING
from dashboards.links import to_runbook
from dashboards.panels import Caption, Query, graph, stacked
from dashboards.promql import Scope, highest, total


def by_reason(number: int, scope: Scope) -> timeseries.Panel:
    """Claims that wait now, by what keeps them."""
    caption = Caption(
        number,
        "Claims that wait, by reason",
        "Claims without a partition now, by the reason of their condition Bound. `aim-gpu explain claim/NAME -n "
        "NAMESPACE` says for one of them what would help.",
        "short",
    )
    query = Query(total(scope.series(SCHEDULER_PENDING), ("reason",)), "{{cluster}} {{reason}}")
    return stacked(caption, query).links([to_runbook("AimClaimsWait")])


def longest(number: int, scope: Scope) -> timeseries.Panel:
    """How long the claim that waits longest has waited."""
    caption = Caption(
        number,
        "Longest wait, by namespace and reason",
        "Of the claim that waits longest, since it was made, others let its pod go, or it lost its partition. A line "
        "that rises steadily is one claim that nothing moves.",
        "s",
    )
    oldest = highest(scope.series(SCHEDULER_OLDEST_PENDING), ("namespace", "reason"))
    query = Query(oldest, "{{cluster}} {{namespace}} {{reason}}")
    return graph(caption, query).links([to_runbook("AimClaimsWait")])
