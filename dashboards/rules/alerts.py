"""All rules in their groups; recorded series first, since alerts use them."""

from collections.abc import Sequence
from typing import Any

from dashboards.rules.memory import memory
from dashboards.rules.nodes import nodes
from dashboards.rules.operation import operation
from dashboards.rules.pace import REAL, Pace
from dashboards.rules.recording import recorded
from dashboards.rules.repartition import repartition
from dashboards.rules.requests import requests
from dashboards.rules.rule import Alert, Group, Recording
from dashboards.rules.scheduling import scheduling
from dashboards.rules.service_levels import service_levels


def groups(pace: Pace = REAL) -> tuple[Group, ...]:
    """Every group, at this pace."""
    return (
        recorded(pace),
        memory(pace),
        scheduling(pace),
        repartition(pace),
        nodes(pace),
        service_levels(pace),
        requests(pace),
        operation(pace),
    )


def alerts(pace: Pace = REAL) -> Sequence[Alert]:
    """Every alert, in the order of the file."""
    return [rule for group in groups(pace) for rule in group.rules if isinstance(rule, Alert)]


def recordings(pace: Pace = REAL) -> Sequence[Recording]:
    """Every recorded series, in the order of the file."""
    return [rule for group in groups(pace) for rule in group.rules if isinstance(rule, Recording)]


def rules(pace: Pace = REAL) -> dict[str, Any]:
    """As a file of rules for Prometheus has it."""
    return {"groups": [group.manifest(pace) for group in groups(pace)]}


def scaled(factor: float) -> dict[str, Any]:
    """The same, every wait, range and age `factor` times shorter: to see in minutes what takes hours. At least 1."""
    return rules(Pace(factor))
