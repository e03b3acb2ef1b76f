"""Colours by Grafana's names."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

PALETTE: Final = (
    *("#7EB26D", "#EAB839", "#6ED0E0", "#EF843C", "#E24D42", "#1F78C1"),
    *("#BA43A9", "#705DA0", "#508642", "#CCA300", "#447EBC", "#C15C17"),
)
"""The colours of lines, in turn."""

_NAMES: Final = {
    "green": "#3F8F43",
    "yellow": "#B89A00",
    "orange": "#C7651B",
    "red": "#C4162A",
    "blue": "#3274D9",
    "purple": "#8F3BB8",
    "gray": "#808080",
    "text": "#C8C8C8",
    "transparent": "rgba(0,0,0,0)",
}


def color_of(name: str) -> str:
    """A colour as browsers know it, by Grafana's name ("dark-red" is red here), or as it is."""
    return _NAMES.get(name, _NAMES.get(name.rpartition("-")[2], name))


def level_color(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    """The colour of the highest level that `value` reaches. The first level has no value: it is for all."""
    reached = [step["color"] for step in steps if step.get("value") is None or value >= step["value"]]
    return color_of(reached[-1] if reached else "gray")
