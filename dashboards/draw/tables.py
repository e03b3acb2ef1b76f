"""Tables of now as HTML: rows merged by their labels, columns as the panel's transformations arrange them."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dashboards.draw.answers import Line
from dashboards.draw.colors import level_color
from dashboards.draw.units import text

Json = Mapping[str, Any]
MOST_ROWS = 12
"""Rows that fit on a panel; the rest is counted below them."""


def table(panel: Json, lines: Sequence[Line]) -> str:
    """The panel's rows, the most of what it is sorted by first, as HTML."""
    columns = _columns(panel)
    units, thresholds = _overrides(panel, "unit"), _overrides(panel, "thresholds")
    rows = sorted(_rows(lines).items(), key=lambda row: _rank(panel, columns, row[1]))
    head = "".join(f"<th>{escape(title)}</th>" for title in columns.values())
    body = []
    for labels, values in rows[:MOST_ROWS]:
        known = dict(labels)
        cells = []
        for field, title in columns.items():
            if field not in values:
                cells.append(f"<td>{escape(known.get(field, ''))}</td>")
                continue
            steps = thresholds.get(title, {}).get("steps", ())
            style = f' style="background:{level_color(steps, values[field])}"' if steps else ""
            cells.append(f"<td{style}>{escape(text(values[field], units.get(title, '')))}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    more = f"<p>and {len(rows) - MOST_ROWS} more</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{more}"


def _rows(lines: Sequence[Line]) -> Mapping[tuple[tuple[str, str], ...], Mapping[str, float]]:
    alone = len({line.target for line in lines}) == 1
    found: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for line in lines:
        labels = tuple(sorted((key, value) for key, value in line.series.labels.items() if key != "__name__"))
        row = found.setdefault(labels, {})
        row[f"Value #{line.target}"] = line.series.last
        if alone:
            row["Value"] = line.series.last
    return found


def _columns(panel: Json) -> Mapping[str, str]:
    """Titles by field, in order."""
    for transformation in panel.get("transformations", ()):
        if transformation["id"] == "organize":
            options = transformation["options"]
            order = options.get("indexByName", {})
            return dict(sorted(options["renameByName"].items(), key=lambda pair: order.get(pair[0], len(order))))
    return {}


def _overrides(panel: Json, name: str) -> Mapping[str, Any]:
    """A property by the title of its column."""
    return {
        override["matcher"]["options"]: setting["value"]
        for override in panel["fieldConfig"].get("overrides", ())
        for setting in override["properties"]
        if setting["id"] == name
    }


def _rank(panel: Json, columns: Mapping[str, str], values: Mapping[str, float]) -> float:
    for wanted in panel["options"].get("sortBy", ()):
        for field, title in columns.items():
            if title == wanted["displayName"]:
                return -values.get(field, float("-inf")) if wanted.get("desc") else values.get(field, float("inf"))
    return 0.0
