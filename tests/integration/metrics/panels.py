"""Whether panels show something: what each of their queries gave over the whole story. Pure but for the asking."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dashboards.queries import queries
from e2e.prometheus.api import Api, Series
from e2e.prometheus.errors import QueryRefused

#: Four scrapes, as Grafana takes it.
_RATE_INTERVAL: Final = "4s"
_EVERYTHING: Final = ".*"
_CHOSEN: Final = {"quantile": "0.95"}


def values(dashboard: Mapping[str, Any], seconds: float) -> dict[str, str]:
    """Everything is chosen; the whole story is looked at."""
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    span = {"__rate_interval": _RATE_INTERVAL, "__interval": "1s", "__range": f"{seconds:.0f}s"}
    return {name: _CHOSEN.get(name, _EVERYTHING) for name in names} | span


def empty(api: Api, dashboard: Mapping[str, Any], start: float, end: float) -> Iterator[str]:
    """A sentence for each query that is refused or has no data, and each panel none of whose data ever changes."""
    lively: dict[str, bool] = {}
    for title, expression in queries(dashboard, values(dashboard, end - start)):
        try:
            found = api.over(expression, start, end)
        except QueryRefused as error:
            yield f"{title}: {error}"
            continue
        changes = any(series.changes or _is_away(series, end - start) for series in found)
        lively[title] = lively.get(title, False) or changes
        if not found:
            yield f"{title}: no data: {expression}"
    for title in sorted(lively):
        if not lively[title]:
            yield f"{title}: none of its data ever changes"


def _is_away(series: Series, seconds: float) -> bool:
    """Whether it is not there for some of the time."""
    return len(series.points) < seconds - 3
