"""Panels in one style: what a reader learns on one dashboard holds on all.

Each has a number of its own within its dashboard, kept for good: links to a panel name it. Widths are columns of 24,
heights Grafana's rows of 30 pixels.
"""

from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import bargauge, heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    ScaleDistributionConfig,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    FieldColorModeId,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.levels import Levels, thresholds
from dashboards.links import Link
from dashboards.variables import SOURCE

FULL, HALF, THIRD, EIGHTH = 24, 12, 8, 3
TALL, LOW = 8, 4
#: Of a timeline: more cannot be read.
MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Caption:
    """What a panel shows: its number, its title, what to read from it, and the unit of its figures."""

    number: int
    title: str
    description: str
    unit: str


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its series are named in the legend. `exemplars`: traces are shown beside it."""

    expr: str
    legend: str = ""
    exemplars: bool = False


def graph(caption: Caption, *queries: Query, levels: Levels | None = None) -> timeseries.Panel:
    """Lines over time from 0 up; with `levels`, lines where it becomes worrying."""
    panel = (
        described(timeseries.Panel(), caption)
        .span(HALF)
        .height(TALL)
        .min(0)
        .line_width(1)
        .fill_opacity(8)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(False)
        .legend(_legend("lastNotNull", "max"))
        .tooltip(VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .targets(_ranges(queries))
    )
    if levels is not None:
        panel.thresholds(thresholds(levels))
        panel.thresholds_style(GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    return panel


def stacked(caption: Caption, *queries: Query) -> timeseries.Panel:
    """Parts of a whole over time, one on the other."""
    stacking = StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return graph(caption, *queries).stacking(stacking).fill_opacity(40)


def events(caption: Caption, *queries: Query) -> timeseries.Panel:
    """What happens seldom, by the minute, one on the other: each event is a step as wide as rates look back."""
    steps = common.LineInterpolation.STEP_AFTER
    return stacked(caption, *queries).line_interpolation(steps).legend(_legend("max"))


def now(caption: Caption, query: Query, levels: Levels) -> stat.Panel:
    """One large figure of now, coloured by what it means; one a cluster.

    Asked for now alone: over time the last value would stay when its series has ended.
    """
    return (
        described(stat.Panel(), caption)
        .span(EIGHTH)
        .height(LOW)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.AUTO)
        .thresholds(thresholds(levels))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .targets([target(replace(query, legend="{{cluster}}"), "A").instant()])
    )


def bars(caption: Caption, query: Query, levels: Levels) -> bargauge.Panel:
    """Shares of now, 0 to 1, as lying bars."""
    return (
        described(bargauge.Panel(), caption)
        .span(HALF)
        .height(TALL)
        .min(0)
        .max(1)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds(levels))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .targets([target(query, "A").instant()])
    )


def timeline(caption: Caption, query: Query, states: dict[int, tuple[str, str]]) -> statetimeline.Panel:
    """Named states over time: `states` has a text and a colour for each value."""
    results = {str(value): ValueMappingResult(text, color) for value, (text, color) in states.items()}
    return (
        described(statetimeline.Panel(), caption)
        .span(HALF)
        .height(TALL)
        .mappings([ValueMap(results)])
        .show_value(common.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(70)
        .legend(VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .targets(_ranges((query,)))
    )


def spread(caption: Caption, query: Query) -> heatmap.Panel:
    """How a histogram's observations are spread, over time; the query has one series a bucket, by `le`."""
    return (
        described(heatmap.Panel(), caption)
        .span(HALF)
        .height(TALL)
        .calculate(False)
        .scale_distribution(ScaleDistributionConfig().type(common.ScaleDistribution.LINEAR))
        .y_axis(heatmap.YAxisConfig().unit(caption.unit))
        .cell_values(heatmap.CellValues().unit("reqps"))
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(32))
        .targets([target(query, "A").range().format(PromQueryFormat.HEATMAP)])
    )


class Describable(Protocol):
    """What every kind of panel has."""

    def id(self, id_val: int) -> Self: ...  # noqa: D102
    def title(self, title: str) -> Self: ...  # noqa: D102
    def description(self, description: str) -> Self: ...  # noqa: D102
    def unit(self, unit: str) -> Self: ...  # noqa: D102
    def datasource(self, datasource: DataSourceRef) -> Self: ...  # noqa: D102


P = TypeVar("P", bound=Describable)


def described(panel: P, caption: Caption) -> P:
    """The panel with its caption and the chosen source."""
    panel.id(caption.number).title(caption.title).description(caption.description).unit(caption.unit)
    return panel.datasource(SOURCE)


def with_link(panel: timeseries.Panel, link: Link) -> timeseries.Panel:
    """The graph, on whose lines a click leads somewhere."""
    return panel.data_links([DashboardLink(link.title).type(DashboardLinkType.LINK).url(link.address)])


def target(query: Query, ref_id: str) -> prometheus.Dataquery:
    """A query of a panel, neither instant nor over time yet."""
    made = prometheus.Dataquery().ref_id(ref_id).datasource(SOURCE).expr(query.expr)
    if query.legend:
        made.legend_format(query.legend)
    return made.exemplar(True) if query.exemplars else made


def ref_ids(count: int) -> str:
    """A letter a query, from A."""
    return "".join(chr(ord("A") + index) for index in range(count))


def _ranges(queries: tuple[Query, ...]) -> list[Builder[Dataquery]]:
    return [target(query, ref).range() for query, ref in zip(queries, ref_ids(len(queries)), strict=True)]


def _legend(*figures: str) -> VizLegendOptions:
    return (
        VizLegendOptions()
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(list(figures))
    )
