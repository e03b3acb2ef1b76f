"""Puts values in the place of a query's variables, as Grafana does before it asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
#: Points that a line has, about as many as Grafana asks for on a panel of half the width.
POINTS: Final = 300


class UnknownVariable(Exception):
    """A query names a variable that its dashboard has not got."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is drawn, in Unix seconds, and how often figures are collected, in seconds."""

    start: float
    end: float
    scrape_seconds: float

    @property
    def step_seconds(self) -> float:
        """Between two points of a line: whole seconds, never less than a collection."""
        return max(self.scrape_seconds, round((self.end - self.start) / POINTS), 1.0)

    def built_in(self) -> dict[str, str]:
        """The variables that every dashboard has. A rate needs two collections, and gets four."""
        rate = max(self.step_seconds + self.scrape_seconds, 4 * self.scrape_seconds)
        return {
            "__rate_interval": f"{rate:g}s",
            "__interval": f"{self.step_seconds:g}s",
            "__range": f"{self.end - self.start:.0f}s",
        }


def chosen(dashboard: Mapping[str, Any], asked: Mapping[str, str]) -> dict[str, str]:
    """A value for each of the dashboard's variables: the one `asked` for, else what it has at first.

    Raises UnknownVariable for one that was asked for and is not there.
    """
    found = {}
    for variable in dashboard["templating"]["list"]:
        found[variable["name"]] = asked.get(variable["name"]) or _at_first(variable)
    unknown = asked.keys() - found.keys()
    if unknown:
        raise UnknownVariable(f"{sorted(unknown)}: {dashboard['title']} has {', '.join(sorted(found))}")
    return found


def filled(expression: str, values: Mapping[str, str]) -> str:
    """The expression with `$name`, `${name}` and `${name:format}` replaced. Raises UnknownVariable."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in values:
            raise UnknownVariable(f"${name} in {expression}: there are {', '.join(sorted(values))}")
        return values[name]

    return _VARIABLE.sub(value, expression)


def named(legend: str, labels: Mapping[str, str]) -> str:
    """A series' name: the target's legend with its labels in, or all labels where there is none."""
    if legend and legend != "__auto":
        return _LABEL.sub(lambda match: labels.get(match[1], ""), legend).strip() or "all"
    told = [f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__"]
    return ", ".join(told) or labels.get("__name__", "all")


def _at_first(variable: Mapping[str, Any]) -> str:
    current = variable.get("current", {}).get("value", "")
    first = current[0] if isinstance(current, list) else current
    return variable.get("allValue") or ".*" if first in ("$__all", "") else str(first)
