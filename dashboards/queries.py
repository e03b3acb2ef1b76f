"""The queries of a dashboard, as Prometheus gets them once something is chosen at its top.

>>> drawn = {"title": "Example", "panels": [
...     {"type": "row", "title": "Now"},
...     {"type": "stat", "title": "Agents", "targets": [{"expr": 'sum(aim_node_agent_up{cluster=~"$cluster"})'}]},
... ]}
>>> queries(drawn, {"cluster": ".*"})
[PanelQuery(title='Agents', expr='sum(aim_node_agent_up{cluster=~".*"})')]
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from dashboards.draw.filling import filled

FOLDER: Final = Path(__file__).parent / "json"


class PanelQuery(NamedTuple):
    """An expression, and the title of the panel that shows it."""

    title: str
    expr: str


def committed() -> dict[str, dict[str, Any]]:
    """The committed dashboards, by the names of their files without the ending."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def panels(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every panel of a dashboard in its order, also those within collapsed rows; the rows themselves are none."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def queries(dashboard: Mapping[str, Any], variables: Mapping[str, str]) -> list[PanelQuery]:
    """Each query of each panel, with the variables' values in the places of their names.

    `variables` has a text for each of the dashboard's own variables and Grafana's (``__rate_interval``, ``__range``),
    as Prometheus is to read it. Raises UnknownVariable for one that a query names and `variables` lack.
    """
    return [
        PanelQuery(panel["title"], filled(target["expr"], variables))
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]
