"""The bounds in thresholds.toml, read and checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("thresholds.toml")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound on ours / `peer`'s. Exactly one of the bounds is given; `margin` is a share of the ratio."""

    peer: str
    margin: float
    why: str
    ratio_at_least: float | None = None
    ratio_at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.ratio_at_least is None) == (self.ratio_at_most is None):
            raise ValueError(f"threshold against {self.peer}: give ratio_at_least or ratio_at_most, one of the two")

    def __str__(self) -> str:
        if self.ratio_at_least is not None:
            return f"ratio >= {self.ratio_at_least:g}"
        return f"ratio <= {self.ratio_at_most:g}"

    def met(self, ratio: float) -> bool:
        """Whether `ratio`, unrounded, obeys the bound."""
        if self.ratio_at_least is not None:
            return ratio >= self.ratio_at_least
        return self.ratio_at_most is not None and ratio <= self.ratio_at_most


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound on a figure by itself, such as an error that has its reference within. Exactly one side is given."""

    why: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"bound {self.why!r}: give at_least or at_most, one of the two")

    def __str__(self) -> str:
        return f"<= {self.at_most:g}" if self.at_least is None else f">= {self.at_least:g}"

    def met(self, value: float) -> bool:
        """Whether `value`, unrounded, obeys the bound."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most


def thresholds(benchmark: str, path: Path = FILE) -> Mapping[str, Threshold]:
    """Metric -> bound of one benchmark. Raises KeyError for a benchmark without any, TypeError for an unknown key."""
    return {metric: Threshold(**row) for metric, row in _table(benchmark, path).items()}


def bounds(benchmark: str, path: Path = FILE) -> Mapping[str, Bound]:
    """The same of a benchmark whose figures are bounded by themselves."""
    return {metric: Bound(**row) for metric, row in _table(benchmark, path).items()}


def _table(benchmark: str, path: Path) -> Mapping[str, Mapping[str, Any]]:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    if benchmark not in table:
        raise KeyError(f"benchmark {benchmark!r}: {path.name} has {sorted(table)}")
    found: Mapping[str, Mapping[str, Any]] = table[benchmark]
    return found
