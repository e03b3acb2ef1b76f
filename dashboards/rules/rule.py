"""What a rule of Prometheus consists of, and how it is written in a file of rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from dashboards.documentation import runbook
from dashboards.rules.pace import Pace


class Severity(StrEnum):
    """Who is to look, and when."""

    CRITICAL = "critical"
    """Somebody is hurt now, or will be within the hour: wake a person."""
    WARNING = "warning"
    """Somebody will be hurt unless a person acts within the day."""
    INFO = "info"
    """Nobody is hurt: look when there is time."""


_IN_CLUSTER: Final = "{{ with $labels.cluster }} Cluster: {{ . }}.{{ end }}"
"""Ends each description, and is nothing where nobody says which cluster it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A condition that a person has to know of.

    `expression` gives a series for each thing that is wrong, with the labels by which alerts are routed. It must hold
    for `seconds` before anybody is told. `keep_seconds`: how much longer than it holds the alert stands, 0 for no
    longer; for what vanishes from the metrics as it happens. `summary` is one line, `description` says what, where and
    how much, as a template of Prometheus.
    """

    name: str
    severity: Severity
    expression: str
    seconds: float
    summary: str
    description: str
    keep_seconds: float = 0.0

    def manifest(self, pace: Pace) -> dict[str, Any]:
        """As a file of rules has it."""
        waits = {"for": pace.text(self.seconds)} if self.seconds else {}
        kept = {"keep_firing_for": pace.text(self.keep_seconds)} if self.keep_seconds else {}
        return {
            "alert": self.name,
            "expr": self.expression,
            **waits,
            **kept,
            "labels": {"severity": self.severity.value},
            "annotations": {
                "summary": self.summary,
                "description": self.description + _IN_CLUSTER,
                "runbook_url": runbook(self.name),
            },
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that is worked out once at each evaluation: its name (``level:metric:operations``) and what it is."""

    name: str
    expression: str

    def manifest(self, _: Pace) -> dict[str, Any]:
        """As a file of rules has it."""
        return {"record": self.name, "expr": self.expression}


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other."""

    name: str
    rules: Sequence[Alert | Recording]

    def manifest(self, pace: Pace) -> dict[str, Any]:
        """As a file of rules has it."""
        return {"name": f"aim-gpu-sharing.{self.name}", "rules": [rule.manifest(pace) for rule in self.rules]}
