"""The bounds in thresholds.toml, read and checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


def thresholds(benchmark: str, path: Path = FILE) -> Mapping[str, Threshold]:
    """Metric -> bound of one benchmark. Raises KeyError for a benchmark without any, TypeError for an unknown key."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    if benchmark not in table:
        raise KeyError(f"benchmark {benchmark!r}: {path.name} has {sorted(table)}")
    return {metric: Threshold(**row) for metric, row in table[benchmark].items()}
