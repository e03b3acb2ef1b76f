"""A dashboard of sections: variables on top, links to the others, then panels under a heading each.

>>> from dashboards.panels import Caption, Query, graph
>>> from dashboards.variables import choices
>>> from controller.telemetry.instruments import AGENT_UP
>>> up = graph(Caption(10, "Agents", "Whether each node's agent is up.", "short"), Query("aim_node_agent_up"))
>>> made = board(About("example", "Example", "One panel."), choices({"cluster": [AGENT_UP]}), [Section(1, "Now", [up])])
>>> [panel.title for panel in made.panels]
['Now', 'Agents']
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from dashboards.links import TAG, between
from dashboards.variables import datasource

#: How often a dashboard that is open asks again: about as often as figures are collected.
REFRESH: Final = "30s"


@dataclass(frozen=True, slots=True)
class About:
    """How Grafana knows a dashboard, and what people read of it first."""

    uid: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under a heading, which has a number as they have."""

    number: int
    title: str
    panels: Sequence[Builder[models.Panel]]


def board(
    about: About, variables: Sequence[Builder[models.VariableModel]], sections: Sequence[Section]
) -> models.Dashboard:
    """The dashboard as Grafana loads it. Raises ValueError where two panels have one number."""
    built = (
        Dashboard(about.title)
        .uid(about.uid)
        .description(about.description)
        .tags([TAG])
        .editable()
        .refresh(REFRESH)
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables([datasource(), *variables])
        .links(between())
    )
    for section in sections:
        built.with_row(Row(section.title).id(section.number))
        for panel in section.panels:
            built.with_panel(panel)
    made = built.build()
    _refuse_equal_numbers(made)
    return made


def written(dashboard: models.Dashboard) -> str:
    """The file that is committed: the same dashboard always gives the same text."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(dashboard) + "\n"


def _refuse_equal_numbers(dashboard: models.Dashboard) -> None:
    seen: dict[int, str] = {}
    for panel in dashboard.panels or ():
        number, title = panel.id_val or 0, panel.title or ""
        if number in seen:
            raise ValueError(f"{dashboard.title}: {title} has the number {number} of {seen[number]}: choose a free one")
        seen[number] = title
