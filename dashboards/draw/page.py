"""A dashboard as one HTML page: its panels where Grafana would put them, with nothing loaded from elsewhere."""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from plotly.offline import get_plotlyjs

from dashboards.draw.answers import answers
from dashboards.draw.figures import figure
from dashboards.draw.filling import Span, filled
from dashboards.draw.tables import table
from e2e.prometheus.api import Api

Json = Mapping[str, Any]
#: A page of this width, of Grafana's 24 columns and rows of 30 pixels with 8 between them.
WIDTH, ROW, GAP, TOP, TITLE = 1600, 30, 8, 96, 26
_COLUMNS: Final = 24

_STYLE: Final = """
body { background: #111217; color: #ccccdc; font: 13px sans-serif; margin: 0; position: relative; }
header { padding: 10px 16px; } h1 { font-size: 19px; margin: 0 0 4px; } header p { margin: 2px 0; color: #9a9aa8; }
section { background: #181b1f; border: 1px solid #2a2d33; box-sizing: border-box; overflow: hidden; }
section { position: absolute; }
section h2 { font-size: 12.5px; font-weight: 600; margin: 5px 8px; white-space: nowrap; }
.row { background: none; border: 0; } .row h2 { font-size: 15px; }
.empty { color: #8e8e8e; padding: 14px; text-align: center; }
table { border-collapse: collapse; font-size: 12px; width: 100%; }
th, td { border-bottom: 1px solid #2a2d33; padding: 3px 8px; text-align: left; } th { color: #6e9fff; }
section p { margin: 4px 8px; color: #9a9aa8; }
"""


def page(dashboard: Json, api: Api, values: Mapping[str, str], span: Span) -> str:
    """The page, as it is at the end of `span`, with `values` of the dashboard's variables.

    Raises QueryRefused, UnknownVariable, UnknownPanel, UnknownUnit, OSError.
    """
    panels = "".join(_section(panel, api, values, span) for panel in dashboard["panels"])
    until = datetime.fromtimestamp(span.end, UTC)
    told = [f"{name}={value}" for name, value in values.items() if value not in (".*", "")]
    chosen = "".join(f", {one}" for one in told)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(dashboard["title"])}</title>'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head>"
        f'<body style="width:{WIDTH}px;height:{height(dashboard)}px"><header><h1>{escape(dashboard["title"])}</h1>'
        f"<p>{escape(dashboard.get('description', ''))}</p>"
        f"<p>{until:%Y-%m-%d %H:%M:%S} UTC, {(span.end - span.start) / 60:.0f} minutes{escape(chosen)}. "
        f"Drawn from Grafana's file by a tool of this repository, not by Grafana.</p></header>{panels}</body></html>"
    )


def height(dashboard: Json) -> int:
    """Pixels that the page is high."""
    lowest = max((panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]), default=0)
    return TOP + lowest * (ROW + GAP) + GAP


def _section(panel: Json, api: Api, values: Mapping[str, str], span: Span) -> str:
    at = panel["gridPos"]
    unit = (WIDTH - GAP) / _COLUMNS
    place = (
        f"left:{GAP + at['x'] * unit:.0f}px;top:{TOP + at['y'] * (ROW + GAP)}px;"
        f"width:{at['w'] * unit - GAP:.0f}px;height:{at['h'] * (ROW + GAP) - GAP}px"
    )
    name = filled(panel.get("title", ""), {**values, **span.built_in()})
    title = f'<h2 title="{escape(panel.get("description", ""))}">{escape(name)}</h2>'
    if panel["type"] == "row":
        return f'<section class="row" style="{place}">{title}</section>'
    return f'<section style="{place}">{title}{_content(panel, api, values, span)}</section>'


def _content(panel: Json, api: Api, values: Mapping[str, str], span: Span) -> str:
    if panel["type"] == "text":
        return f"<p>{escape(panel['options']['content'])}</p>"
    lines = [line for line in answers(api, panel, values, span) if line.series.points]
    if not lines:
        return f'<div class="empty">{escape(panel["fieldConfig"]["defaults"].get("noValue", "No data"))}</div>'
    if panel["type"] == "table":
        return table(panel, lines)
    drawn = figure(panel, lines)
    drawn.update_layout(height=panel["gridPos"]["h"] * (ROW + GAP) - GAP - TITLE)
    html: str = drawn.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False})
    return html
