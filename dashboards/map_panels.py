"""How the live map fares where it is served in the cluster: who looks, how old that is, what updates take."""

from grafana_foundation_sdk.builders import timeseries

from controller.telemetry.instruments import UI_AGE, UI_UPDATE_SECONDS, UI_UPDATES, UI_VIEWERS, UI_WHAT_IFS
from dashboards.board import Section
from dashboards.panels import FULL, Caption, Query, events, graph
from dashboards.promql import Scope, highest, per_minute, quantile, total
from dashboards.variables import QUANTILE


def section(number: int, scope: Scope) -> Section:
    """The panels, numbered from `number` on."""
    panels = [
        _viewers(number + 1, scope),
        _age(number + 2, scope),
        _updates(number + 3, scope),
        _length(number + 4, scope),
        _questions(number + 5, scope),
    ]
    return Section(number, "The live map", panels)


def _viewers(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Pages that are open",
        "Of the live map, where ui.enabled serves it in the cluster; without that nothing is told here. It serves 64.",
        "short",
    )
    return graph(caption, Query(total(scope.series(UI_VIEWERS), ()), "{{cluster}}"))


def _age(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Age of what the live map shows, by resource",
        "Up to five seconds while the API server answers, which it is asked as often. What grows is not followed any "
        "more: pages say so, and the process's log why.",
        "s",
    )
    return graph(caption, Query(highest(scope.series(UI_AGE), ("resource",)), "{{cluster}} {{resource}}"))


def _updates(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Updates for pages, by result",
        "In a minute. Dropped ones were for a page that was too slow, and got the whole state instead.",
        "cpm",
    )
    return events(caption, Query(total(per_minute(scope.series(UI_UPDATES)), ("result",)), "{{cluster}} {{result}}"))


def _length(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Time to make an update, quantile $quantile",
        "For all pages together: reading what changed, and what is new to each viewer. Pages are told 0.1 s later at "
        "the earliest.",
        "s",
    )
    found = quantile(f"${QUANTILE}", scope.buckets(UI_UPDATE_SECONDS), ())
    return graph(caption, Query(found, "{{cluster}}"))


def _questions(number: int, scope: Scope) -> timeseries.Panel:
    caption = Caption(
        number,
        "Questions what if, by result",
        "In a minute. Refused ones made no sense or were somebody's who may not ask; limited ones came too fast.",
        "cpm",
    )
    asked = total(per_minute(scope.series(UI_WHAT_IFS)), ("result",))
    return events(caption, Query(asked, "{{cluster}} {{result}}")).span(FULL)
