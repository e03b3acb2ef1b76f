"""Panels as figures: one function a kind of panel, each from the panel's JSON and the lines that were answered."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import plotly.graph_objects as go

from dashboards.draw.answers import Line
from dashboards.draw.colors import PALETTE, color_of, level_color
from dashboards.draw.units import text

Json = Mapping[str, Any]
Draw = Callable[[Json, Sequence[Line]], go.Figure]

_TICKS: Final = 4
MOST_NAMED: Final = 12
"""Series that a legend has room for."""


class UnknownPanel(Exception):
    """A kind of panel that is not drawn here."""


def time_series(panel: Json, lines: Sequence[Line]) -> go.Figure:
    """Lines, areas one on the other, or bars."""
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    bars = custom.get("drawStyle") == "bars"
    figure = go.Figure()
    for index, line in enumerate(lines):
        times, values = _moments(line), line.series.values
        color = PALETTE[index % len(PALETTE)]
        if bars:
            figure.add_bar(x=times, y=values, name=line.name, marker_color=color)
        else:
            stack = {"stackgroup": "one"} if stacked else {}
            figure.add_scatter(
                x=times, y=values, name=line.name, mode="lines", line={"color": color, "width": 1.3}, **stack
            )
    figure.update_layout(barmode="stack", bargap=0)
    _axis(figure, panel, _heights(lines, stacked=stacked))
    if custom.get("thresholdsStyle", {}).get("mode", "off") != "off":
        for level in _levels(panel):
            if level["value"] is not None:
                figure.add_hline(y=level["value"], line={"color": color_of(level["color"]), "dash": "dash", "width": 1})
    return figure


def single(panel: Json, lines: Sequence[Line]) -> go.Figure:
    """A large figure of now over its course in small; one for each series."""
    figure = go.Figure()
    for index, line in enumerate(lines):
        figure.add_scatter(
            x=_moments(line),
            y=line.series.values,
            mode="lines",
            fill="tozeroy",
            line={"color": "rgba(255,255,255,0.5)", "width": 1},
            showlegend=False,
        )
        figure.add_annotation(
            x=(index + 0.5) / len(lines),
            y=0.5,
            xref="paper",
            yref="paper",
            showarrow=False,
            text=shown(panel, line.series.last),
            font={"size": 26 if len(lines) == 1 else 18, "color": "white"},
        )
    if lines:
        figure.update_layout(plot_bgcolor=level_color(_levels(panel), max(line.series.last for line in lines)))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, rangemode="tozero")
    return figure


def lying_bars(panel: Json, lines: Sequence[Line]) -> go.Figure:
    """A bar for each series, as it is now."""
    lines = list(reversed(lines))
    values = [line.series.last for line in lines]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[line.name for line in lines],
            orientation="h",
            marker_color=[level_color(_levels(panel), value) for value in values],
            text=[shown(panel, value) for value in values],
        )
    )
    defaults = panel["fieldConfig"]["defaults"]
    if "max" in defaults:
        figure.update_xaxes(range=[defaults.get("min", 0), defaults["max"]])
    figure.update_xaxes(visible=False)
    figure.update_layout(showlegend=False)
    return figure


def states(panel: Json, lines: Sequence[Line]) -> go.Figure:
    """A row for each series, coloured by the state that its value stands for."""
    figure = go.Figure()
    mappings = _mappings(panel)
    seen = set()
    for line in lines:
        for (start, value), (end, _) in pairwise([*line.series.points, line.series.points[-1]]):
            state = mappings.get(f"{value:g}", {"text": f"{value:g}", "color": "gray"})
            label = state.get("text", f"{value:g}")
            figure.add_bar(
                x=[(end - start) * 1000],
                base=[_moment(start)],
                y=[line.name],
                orientation="h",
                name=label,
                marker_color=color_of(state.get("color", "gray")),
                showlegend=label not in seen,
                legendgroup=label,
            )
            seen.add(label)
    figure.update_layout(barmode="overlay", bargap=0.25)
    figure.update_xaxes(type="date")
    return figure


def spread(panel: Json, lines: Sequence[Line]) -> go.Figure:
    """Observations by bucket over time: what a bucket has beyond the one below it."""
    edges = sorted(lines, key=lambda line: float(line.series.labels["le"]))
    rows, labels = [], []
    below: dict[float, float] = {}
    for line in edges:
        counted = dict(line.series.points)
        rows.append([value - below.get(at, 0.0) for at, value in counted.items()])
        below = counted
        edge = float(line.series.labels["le"])
        unit = panel["options"].get("yAxis", {}).get("unit", "")
        labels.append("beyond" if math.isinf(edge) else f"≤ {text(edge, unit)}")
    times = _moments(edges[0]) if edges else []
    drawn = go.Figure(go.Heatmap(z=rows, x=times, y=labels, colorscale="Oranges", showscale=False))
    drawn.update_yaxes(tickvals=labels[::3])
    return drawn


DRAWN: Final[Mapping[str, Draw]] = {
    "timeseries": time_series,
    "stat": single,
    "bargauge": lying_bars,
    "state-timeline": states,
    "heatmap": spread,
}


def figure(panel: Json, lines: Sequence[Line]) -> go.Figure:
    """A panel as a figure in its page's style. Raises UnknownPanel, UnknownUnit."""
    if panel["type"] not in DRAWN:
        raise UnknownPanel(f"panel {panel['title']!r}: {panel['type']} is not drawn; {', '.join(DRAWN)} are")
    drawn = DRAWN[panel["type"]](panel, lines)
    drawn.update_layout(
        template="plotly_dark",
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"size": 11},
        paper_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "font": {"size": 10}},
    )
    drawn.update_xaxes(tickformat="%H:%M:%S")
    hidden = [trace for trace in drawn.data if trace.showlegend is not False][MOST_NAMED:]
    for trace in hidden:
        trace.showlegend = False
    if hidden:
        drawn.add_annotation(
            text=f"{MOST_NAMED} of {MOST_NAMED + len(hidden)} named",
            x=1,
            y=1,
            xref="paper",
            yref="paper",
            showarrow=False,
            font={"size": 10, "color": "#8e8e8e"},
        )
    if panel["type"] != "stat":
        drawn.update_layout(plot_bgcolor="rgba(0,0,0,0)")
    return drawn


def shown(panel: Json, value: float) -> str:
    """A figure as the panel writes it: by its mappings, else with its unit."""
    state = _mappings(panel).get(f"{value:g}")
    return str(state["text"]) if state and "text" in state else text(value, unit_of(panel))


def unit_of(panel: Json) -> str:
    """The unit of the panel's figures."""
    return str(panel["fieldConfig"]["defaults"].get("unit", ""))


def _levels(panel: Json) -> Sequence[Json]:
    return panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())  # type: ignore[no-any-return]


def _mappings(panel: Json) -> Mapping[str, Json]:
    found: dict[str, Json] = {}
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()):
        if mapping["type"] == "value":
            found |= mapping["options"]
    return found


def _heights(lines: Sequence[Line], *, stacked: bool) -> list[float]:
    """How high what is drawn reaches: each figure, or at each moment all together."""
    if not stacked:
        return [value for line in lines for value in line.series.values]
    sums: dict[float, float] = {}
    for line in lines:
        for at, value in line.series.points:
            sums[at] = sums.get(at, 0.0) + (0.0 if math.isnan(value) else value)
    return list(sums.values())


def _axis(drawn: go.Figure, panel: Json, values: Sequence[float]) -> None:
    """Ticks with units: plotly knows no binary sizes and no durations."""
    finite = [value for value in values if math.isfinite(value)]
    defaults = panel["fieldConfig"]["defaults"]
    low, high = defaults.get("min", min(finite, default=0.0)), defaults.get("max", max(finite, default=1.0))
    stops = _stops(low, high, binary=unit_of(panel) == "bytes")
    drawn.update_yaxes(tickvals=stops, ticktext=[text(stop, unit_of(panel)) for stop in stops], range=_range(stops))


def _stops(low: float, high: float, *, binary: bool) -> list[float]:
    """A few round figures from `low` to `high` or a bit beyond; of bytes those that are round in KiB, MiB and so on."""
    high = high if high > low else low + 1.0  # nothing but one figure, mostly 0
    least = (high - low) / _TICKS
    if binary:
        step = float(2 ** math.ceil(math.log2(least)))
    else:
        power = 10.0 ** math.floor(math.log10(least))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= least * (1 - 1e-9))
    first = math.floor(low / step)
    return [step * (first + index) for index in range(math.ceil(high / step - first - 1e-9) + 1)]


def _range(stops: Sequence[float]) -> list[float]:
    """A hand's breadth beyond, so that a line at the border is seen."""
    slack = (stops[-1] - stops[0]) * 0.03 or 1.0
    return [stops[0] - slack / 3, stops[-1] + slack]


def _moments(line: Line) -> list[datetime]:
    return [_moment(at) for at, _ in line.series.points]


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
