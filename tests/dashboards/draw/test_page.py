"""Pages of panels over answers that are made up; that panels of the real dashboards have real ones is shown on a plane."""

from collections.abc import Sequence
from typing import Any

import pytest

from dashboards.draw.answers import Line
from dashboards.draw.figures import MOST_NAMED, UnknownPanel, figure
from dashboards.draw.filling import Span
from dashboards.draw.page import page
from dashboards.draw.tables import MOST_ROWS, table
from e2e.prometheus.api import Api, Series

LEVELS = {"steps": [{"value": None, "color": "green"}, {"value": 5, "color": "red"}]}


def panel(kind: str, **more: Any) -> dict[str, Any]:
    defaults = {"unit": "bytes", "thresholds": LEVELS, **more.pop("defaults", {})}
    found: dict[str, Any] = {"type": kind, "title": "Memory", "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8}}
    found["fieldConfig"] = {"defaults": defaults, "overrides": more.pop("overrides", [])}
    return found | {"options": {}, "targets": [{"refId": "A", "expr": "up", "legendFormat": "{{job}}"}]} | more


def lines(*values: Sequence[float], target: str = "A", label: str = "job") -> list[Line]:
    return [
        Line(f"s{index}", target, Series({label: f"s{index}"}, [(60.0 * at, v) for at, v in enumerate(row)]))
        for index, row in enumerate(values)
    ]


class Answering(Api):
    """A server that has one series, whatever is asked."""

    def over(self, expression: str, start: float, end: float, step_seconds: float = 1.0) -> list[Series]:
        return [Series({"job": "agent"}, [(start, 1.0), (end, 2.0)])] if expression != "nothing" else []


def test_a_page_has_each_panel_in_its_place_with_title_and_description() -> None:
    board = {
        "title": "Overview",
        "panels": [
            panel("timeseries", description="what it says"),
            panel("stat", gridPos={"x": 12, "y": 8, "w": 12, "h": 4}),
        ],
    }
    text = page(board, Answering(0), {"namespace": ".*"}, Span(0, 3600, 15))
    assert text.count("<section") == 2
    assert 'title="what it says"' in text
    assert "left:804px;top:400px;" in text
    assert "not by Grafana" in text
    assert '"name":"agent"' in text


def test_a_panel_without_data_says_so() -> None:
    empty = panel("timeseries", targets=[{"refId": "A", "expr": "nothing"}])
    assert "No data" in page({"title": "x", "panels": [empty]}, Answering(0), {}, Span(0, 60, 1))
    empty["fieldConfig"]["defaults"]["noValue"] = "nobody waits"
    assert "nobody waits" in page({"title": "x", "panels": [empty]}, Answering(0), {}, Span(0, 60, 1))


def test_a_single_figure_has_the_colour_of_its_level() -> None:
    assert figure(panel("stat"), lines([9, 4])).layout.plot_bgcolor == "#3F8F43"
    assert figure(panel("stat"), lines([1, 5])).layout.plot_bgcolor == "#C4162A"


def test_a_single_figure_is_the_last_one_with_its_unit() -> None:
    drawn = figure(panel("stat"), lines([1, 2048]))
    assert [note.text for note in drawn.layout.annotations] == ["2 KiB"]


def test_parts_of_a_whole_lie_on_one_another() -> None:
    custom = {"custom": {"stacking": {"mode": "normal"}}}
    drawn = figure(panel("timeseries", defaults=custom), lines([1, 2], [3, 4]))
    assert [trace.stackgroup for trace in drawn.data] == ["one", "one"]
    assert [tuple(trace.y) for trace in figure(panel("timeseries"), lines([1, 2])).data] == [(1, 2)]


@pytest.mark.parametrize(
    ("unit", "custom", "want"),
    [
        pytest.param("bytes", {}, ["0 B", "32 GiB", "64 GiB", "96 GiB"], id="round in GiB"),
        pytest.param("short", {}, ["0", "20 G", "40 G", "60 G", "80 G"], id="round in billions"),
        pytest.param(
            "bytes",
            {"stacking": {"mode": "normal"}},
            ["0 B", "64 GiB", "128 GiB", "192 GiB"],
            id="parts of a whole reach as high as all of it",
        ),
    ],
)
def test_the_axis_has_round_figures(unit: str, custom: dict[str, Any], want: list[str]) -> None:
    card = 192 * 2.0**30
    values = lines([card / 2.5], [card / 2.5]) if unit == "bytes" else lines([8e10])
    drawn = figure(panel("timeseries", defaults={"unit": unit, "min": 0, "custom": custom}), values)
    assert list(drawn.layout.yaxis.ticktext) == want


def test_a_legend_names_a_few_and_says_of_how_many() -> None:
    drawn = figure(panel("timeseries"), lines(*[[1.0] for _ in range(MOST_NAMED + 3)]))
    assert sum(trace.showlegend is not False for trace in drawn.data) == MOST_NAMED
    assert [note.text for note in drawn.layout.annotations] == [f"{MOST_NAMED} of {MOST_NAMED + 3} named"]


def test_thresholds_are_lines_where_they_are_asked_for() -> None:
    shown = figure(panel("timeseries", defaults={"custom": {"thresholdsStyle": {"mode": "dashed"}}}), lines([1, 2]))
    assert [shape.y0 for shape in shown.layout.shapes] == [5]
    assert not figure(panel("timeseries"), lines([1, 2])).layout.shapes


def test_buckets_are_told_apart_from_those_below_them() -> None:
    buckets = [
        Line(le, "A", Series({"le": le}, [(0.0, count), (60.0, 2 * count)]))
        for le, count in (("+Inf", 10.0), ("0.1", 4.0), ("1", 9.0))
    ]
    drawn = figure(panel("heatmap", options={"yAxis": {"unit": "s"}}), buckets)
    assert [list(row) for row in drawn.data[0].z] == [[4, 8], [5, 10], [1, 2]]
    assert list(drawn.data[0].y) == ["≤ 100 ms", "≤ 1 s", "beyond"]


def test_states_have_the_text_and_colour_of_their_mapping() -> None:
    mappings = [
        {"type": "value", "options": {"1": {"text": "up", "color": "green"}, "0": {"text": "lost", "color": "red"}}}
    ]
    drawn = figure(panel("state-timeline", defaults={"mappings": mappings}), lines([1, 1, 0, 0]))
    assert [trace.name for trace in drawn.data] == ["up", "up", "lost", "lost"]
    assert drawn.data[2].marker.color == "#C4162A"


def test_bars_lie_in_the_order_of_the_answers() -> None:
    drawn = figure(panel("bargauge", defaults={"min": 0, "max": 8}), lines([2], [6]))
    assert list(drawn.data[0].x) == [6, 2]
    assert list(drawn.data[0].marker.color) == ["#C4162A", "#3F8F43"]
    assert list(drawn.layout.xaxis.range) == [0, 8]


def test_a_kind_of_panel_that_is_not_drawn_is_named() -> None:
    with pytest.raises(UnknownPanel, match=r"Memory.*piechart"):
        figure(panel("piechart"), lines([1]))


def arranged(**more: Any) -> dict[str, Any]:
    names = {"job": "Job", "Value #A": "Used", "Value #B": "Busy"}
    options = {"renameByName": names, "indexByName": {name: index for index, name in enumerate(names)}}
    unit = [{"matcher": {"id": "byName", "options": "Used"}, "properties": [{"id": "unit", "value": "bytes"}]}]
    return panel("table", transformations=[{"id": "organize", "options": options}], overrides=unit, **more)


def test_rows_of_several_queries_are_merged_by_their_labels() -> None:
    text = table(arranged(), lines([1024], [2048]) + lines([0.5], target="B"))
    assert "<th>Job</th><th>Used</th><th>Busy</th>" in text
    assert "<tr><td>s0</td><td>1 KiB</td><td>0.5</td></tr><tr><td>s1</td><td>2 KiB</td><td></td></tr>" in text


def test_the_greatest_come_first_and_what_does_not_fit_is_counted() -> None:
    asked = arranged(options={"sortBy": [{"displayName": "Used", "desc": True}]})
    text = table(asked, lines(*[[float(value)] for value in range(MOST_ROWS + 3)]))
    assert text.index("s14") < text.index("s13")
    assert "and 3 more" in text
