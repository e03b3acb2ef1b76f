"""Tables of now: a row for each set of label values, a column for each label and each query."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    TableBarGaugeCellOptions,
    TableCellBackgroundDisplayMode,
    TableCellOptions,
    TableColoredBackgroundCellOptions,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.levels import Levels, thresholds
from dashboards.links import Link
from dashboards.panels import FULL, TALL, Caption, Query, described, ref_ids, target


@dataclass(frozen=True, slots=True)
class Key:
    """A label that rows differ in, by the text of its column; `link`: where a click on its value leads."""

    label: str
    text: str
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of a query's values. `levels` colour the cells; `gauge`: a bar from 0 to 1 beside the figure."""

    text: str
    expr: str
    unit: str
    levels: Levels | None = None
    gauge: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The text of the column that rows are sorted by, and whether the greatest comes first."""

    text: str
    falling: bool = True


def grid(caption: Caption, keys: Sequence[Key], figures: Sequence[Figure], order: Order | None = None) -> table.Panel:
    """A table whose rows are merged from one query a figure, all with the same labels.

    `order`: how rows are sorted; without, as they come.
    """
    panel = described(table.Panel(), caption).span(FULL).height(TALL).show_header(True).filterable(True)
    for figure, ref in zip(figures, ref_ids(len(figures)), strict=True):
        panel.with_target(target(Query(figure.expr), ref).instant().format(PromQueryFormat.TABLE))
        panel.override_by_name(figure.text, _style(figure))
    for key in keys:
        if key.link is not None:
            links = [{"title": key.link.title, "url": key.link.address}]
            panel.override_by_name(key.text, [DynamicConfigValue("links", links)])
    if order is not None:
        panel.sort_by([TableSortByFieldState().display_name(order.text).desc(order.falling)])
    merged = DataTransformerConfig(id_val="merge", options={})
    return panel.transformations([merged, _arranged(keys, figures)])


def _arranged(keys: Sequence[Key], figures: Sequence[Figure]) -> DataTransformerConfig:
    """Columns in the order of keys and figures under their texts; one query's values have no letter."""
    values = [f"Value #{ref}" for ref in ref_ids(len(figures))] if len(figures) > 1 else ["Value"]
    texts = {key.label: key.text for key in keys} | dict(zip(values, (one.text for one in figures), strict=True))
    options = {
        "excludeByName": {"Time": True},
        "indexByName": {name: index for index, name in enumerate(texts)},
        "renameByName": texts,
    }
    return DataTransformerConfig(id_val="organize", options=options)


def _style(figure: Figure) -> list[DynamicConfigValue]:
    style = [DynamicConfigValue("unit", figure.unit)]
    if figure.gauge:
        style += [DynamicConfigValue("min", 0), DynamicConfigValue("max", 1)]
    if figure.levels is not None:
        style.append(DynamicConfigValue("thresholds", thresholds(figure.levels).build()))
        style.append(DynamicConfigValue("custom.cellOptions", _cells(figure)))
    return style


def _cells(figure: Figure) -> TableCellOptions:
    if figure.gauge:
        return TableBarGaugeCellOptions(BarGaugeDisplayMode.BASIC)
    return TableColoredBackgroundCellOptions(TableCellBackgroundDisplayMode.BASIC)
