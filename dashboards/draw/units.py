"""Figures as a reader sees them, by the names that Grafana has for units."""

import math
from collections.abc import Callable, Mapping
from typing import Final

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_SECONDS: Final = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (_MINUTE, "min"), (_HOUR, "h"), (_DAY, "d"))


class UnknownUnit(Exception):
    """A panel has a unit that is not drawn here."""


def text(value: float, unit: str) -> str:
    """A figure with its unit; "" for none. Raises UnknownUnit."""
    if math.isnan(value):
        return "NaN"
    if unit not in _UNITS:
        raise UnknownUnit(f"unit {unit!r}: add it to dashboards/draw/units.py; there are {', '.join(sorted(_UNITS))}")
    return _UNITS[unit](value)


def _plain(value: float) -> str:
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}" if abs(value) < 1e2 else f"{value:.0f}"


def _bytes(value: float) -> str:
    for power, suffix in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if abs(value) >= 1024**power:
            return f"{value / 1024**power:.3g} {suffix}"
    return f"{value:.0f} B"


def _seconds(value: float) -> str:
    size, suffix = next((pair for pair in reversed(_SECONDS) if abs(value) >= pair[0]), (1.0, "s"))
    return f"{value / size:.3g} {suffix}"


def _with(suffix: str, scale: float = 1.0) -> Callable[[float], str]:
    return lambda value: f"{_plain(value * scale)}{suffix}"


_UNITS: Final[Mapping[str, Callable[[float], str]]] = {
    "": _plain,
    "none": _plain,
    "short": _plain,
    "bytes": _bytes,
    "s": _seconds,
    "dtdurations": _seconds,
    "percentunit": _with(" %", 100),
    "percent": _with(" %"),
    "reqps": _with(" req/s"),
    "ops": _with(" ops/s"),
    "cps": _with(" /s"),
    "cpm": _with(" /min"),
    "bool_yes_no": lambda value: "Yes" if value else "No",
    "celsius": _with(" °C"),
    "watt": _with(" W"),
}
