"""Where a click leads: from one dashboard to another with what was chosen, and to the pages in docs/.

Addresses within Grafana are relative to it; each takes the data source, the cluster and the time along.
"""

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from dashboards.documentation import page, runbook
from dashboards.promql import CLUSTER
from dashboards.variables import DATASOURCE

OVERVIEW, PARTITIONS, MODELS, SCHEDULER = (
    "aim-gpu-overview",
    "aim-gpu-partitions",
    "aim-gpu-models",
    "aim-gpu-scheduler",
)
"""How Grafana knows each dashboard, kept for good: addresses that people saved name it."""

TAG: Final = "aim-gpu-sharing"
"""What all our dashboards are tagged with, and found by."""


@dataclass(frozen=True, slots=True)
class Link:
    """A text that is shown on a figure, and where it leads."""

    title: str
    address: str


def of_row(title: str, uid: str, *labels: str) -> Link:
    """From a table's row to a dashboard that shows what the row's labels name."""
    return _to(title, uid, {label: f"${{__data.fields.{label}}}" for label in labels})


def of_line(title: str, uid: str, *labels: str) -> Link:
    """From a graph's line to a dashboard that shows what the line's labels name."""
    return _to(title, uid, {label: f"${{__field.labels.{label}}}" for label in labels})


def to_runbook(alert: str) -> Builder[models.DashboardLink]:
    """From a panel to the page that says what to do when its figures are bad."""
    return _outside(f"Runbook: {alert}", runbook(alert))


def to_dashboard(title: str, uid: str) -> Builder[models.DashboardLink]:
    """From a panel to a dashboard that takes its figures apart, with all that was chosen."""
    address = f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}"
    return DashboardLink(title).type(models.DashboardLinkType.LINK).icon("dashboard").url(address)


def between() -> list[Builder[models.DashboardLink]]:
    """At the top of each dashboard: all others, and what is written about them."""
    others = DashboardLink("Dashboards").type(models.DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True)
    return [
        others.keep_time(True),
        _outside("About", page("dashboards.md")),
        _outside("Runbooks", page("runbooks/README.md")),
    ]


def _to(title: str, uid: str, chosen: dict[str, str]) -> Link:
    values = [f"var-{name}={value}" for name, value in chosen.items()]
    kept = [f"${{{name}:queryparam}}" for name in (DATASOURCE, CLUSTER)]
    return Link(title, f"/d/{uid}?{'&'.join([*kept, *values, '${__url_time_range}'])}")


def _outside(title: str, address: str) -> Builder[models.DashboardLink]:
    return DashboardLink(title).type(models.DashboardLinkType.LINK).icon("doc").url(address).target_blank(True)
