"""The choices at the top of a dashboard: where figures come from, then cluster, namespace, service and so on.

All that is chosen at first is everything, also series that lack the label: free partitions have no namespace, and a
Prometheus of one cluster has no label of it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import CustomVariable, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from controller.runtime.instrument import Instrument
from dashboards.promql import CLUSTER, Scope, one_of

DATASOURCE: Final = "datasource"
QUANTILE: Final = "quantile"
EVERYTHING: Final = ".*"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid=f"${{{DATASOURCE}}}")
QUANTILES: Final = ("0.5", "0.9", "0.95", "0.99")
USUAL_QUANTILE: Final = "0.95"

#: What is written beside a choice whose name is another word than people use.
TEXTS: Final = {"priority": "Class"}

_ALL = VariableOption(selected=True, text=["All"], value=["$__all"])


def datasource() -> DatasourceVariable:
    """The Prometheus, or what speaks its language, that is asked."""
    return DatasourceVariable(DATASOURCE).label("Data source").type("prometheus")


def choice(name: str, instruments: Sequence[Instrument], before: Sequence[str]) -> QueryVariable:
    """Values that the label `name` has in series of any of the instruments, within what the variables `before` chose.

    Raises ValueError for an instrument without one of the labels: choosing by another would find nothing of it.
    """
    for instrument in instruments:
        if lacking := {name, *before} - {CLUSTER, *instrument.labels}:
            raise ValueError(f"{instrument.name} has no label {', '.join(sorted(lacking))}: take it out of {name}'s")
    query = f"label_values({_any_of(instruments, before)}, {name})"
    return (
        QueryVariable(name)
        .label(TEXTS.get(name, name.capitalize()))
        .datasource(SOURCE)
        .query({"query": query, "refId": f"Variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(EVERYTHING)
        .current(_ALL)
    )


def choices(rows: Mapping[str, Sequence[Instrument]]) -> list[QueryVariable]:
    """Variables, by the instruments that have their values; each offers what those before it leave."""
    names = list(rows)
    return [choice(name, instruments, names[:index]) for index, (name, instruments) in enumerate(rows.items())]


def quantiles() -> CustomVariable:
    """Which quantile of a latency is drawn, one at a time."""
    options = [VariableOption(one == USUAL_QUANTILE, one, one) for one in QUANTILES]
    usual = VariableOption(True, USUAL_QUANTILE, USUAL_QUANTILE)
    return CustomVariable(QUANTILE).label("Quantile").values(",".join(QUANTILES)).options(options).current(usual)


def _any_of(instruments: Sequence[Instrument], before: Sequence[str]) -> str:
    scope = Scope(tuple(before))
    if len(instruments) == 1:
        return scope.series(instruments[0])
    names = one_of(*(instrument.exported_name for instrument in instruments))
    return scope.recorded("", ("__name__", *before), __name__=names)
