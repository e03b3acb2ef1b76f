"""The alerts that fire now, each with the page that says what to do."""

from typing import Final

from grafana_foundation_sdk.builders import table

from dashboards.documentation import runbook
from dashboards.levels import BAD, Levels
from dashboards.links import Link
from dashboards.panels import Caption
from dashboards.promql import Matching, Scope, highest
from dashboards.tables import Figure, Key, Order, grid

ALERTS: Final = "ALERTS"
"""What Prometheus itself tells of alerts: 1 for each one that is pending or fires."""

#: How all alerts of ours begin, and those of others hardly.
OURS: Final = Matching("=~", "Aim[A-Z].*")
#: What an alert may name. Grafana has no column for what none of those that fire names.
ABOUT: Final = (
    *("namespace", "service", "node", "gpu", "partition", "product"),
    *("phase", "certificate", "webhook", "process", "profile"),
)


def firing(number: int, scope: Scope) -> table.Panel:
    """A row for each alert that fires."""
    caption = Caption(
        number,
        "Firing alerts",
        "Alerts of the rules that come with these dashboards, where the same Prometheus evaluates them. Nothing to "
        "show is good. Click on an alert for its runbook.",
        "short",
    )
    labels = ("alertname", "severity", *ABOUT)
    told = scope.recorded(ALERTS, ("alertname", "severity", "alertstate"), alertname=OURS, alertstate="firing")
    what_to_do = Link("Runbook", runbook("${__value.raw}"))
    keys = [Key("alertname", "Alert", what_to_do), Key("severity", "Severity"), Key("cluster", "Cluster")]
    keys += [Key(label, label.upper() if label == "gpu" else label.capitalize()) for label in ABOUT]
    figures = [Figure("Firing", highest(told, labels), "bool_yes_no", Levels(BAD))]
    # the alphabet has the worst first: critical, info, warning
    return grid(caption, keys, figures, Order("Severity", falling=False))
