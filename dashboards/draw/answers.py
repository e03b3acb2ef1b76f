"""Asks a Prometheus what a panel's queries ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.draw.filling import Span, filled, named
from e2e.prometheus.api import Api, Series


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a panel, named as its legend says. `target`: the letter of its query."""

    name: str
    target: str
    series: Series


def answers(api: Api, panel: Mapping[str, Any], values: Mapping[str, str], span: Span) -> Sequence[Line]:
    """What a panel shows: of now for queries that are instant, else over the span.

    Raises QueryRefused, UnknownVariable, OSError.
    """
    values = {**values, **span.built_in()}
    lines = []
    for target in panel.get("targets", ()):
        expression = filled(target["expr"], values)
        if target.get("instant") and not target.get("range"):
            found = api.instant(expression, span.end)
        else:
            found = api.over(expression, span.start, span.end, span.step_seconds)
        legend = target.get("legendFormat", "")
        lines += [Line(named(legend, one.labels), target["refId"], one) for one in found]
    return lines
