"""Samples to rows to build/bench/NAME.json. Pure but for the writing.

A row compares the medians of one metric, ours and one peer's; `met` follows from the unrounded ratio and the bound.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.thresholds import Bound, Threshold

FOLDER = Path("build/bench")
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One metric against one peer. `spread`: smallest and largest sample of each side; `ratio`: ours / peer's.

    `peer` and what follows from it are None where nobody else was measured; `target` and `met` where nothing is asked.
    """

    metric: str
    unit: str
    ours: float
    spread: Mapping[str, tuple[float, float]]
    peer: str | None
    peer_value: float | None
    ratio: float | None
    target: str | None
    met: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """All of one benchmark: `runs` a metric, the settings it ran with, the rows, and what a reader must know besides."""

    name: str
    runs: int
    settings: Mapping[str, Any]
    results: Sequence[Row]
    notes: Sequence[str] = ()


def row(
    metric: str,
    unit: str,
    ours: Sequence[float],
    peer: str | None = None,
    theirs: Sequence[float] = (),
    threshold: Threshold | None = None,
) -> Row:
    """The row of our samples and a peer's. A threshold that speaks of another peer is not applied."""
    spread = {"ours": _spread(ours)}
    mine = median(ours)
    if peer is None:
        return Row(metric, unit, _short(mine), spread, None, None, None, None, None)
    other = median(theirs)
    spread["peer"] = _spread(theirs)
    ratio = mine / other if other else None
    asked = threshold if threshold is not None and threshold.peer == peer else None
    return Row(
        metric=metric,
        unit=unit,
        ours=_short(mine),
        spread=spread,
        peer=peer,
        peer_value=_short(other),
        ratio=None if ratio is None else _short(ratio),
        target=None if asked is None else str(asked),
        met=None if asked is None or ratio is None else asked.met(ratio),
    )


def figure(metric: str, unit: str, value: float, samples: Sequence[float], bound: Bound | None = None) -> Row:
    """The row of one figure that was made of samples, such as a percentile, and is bounded by itself."""
    return Row(
        metric=metric,
        unit=unit,
        ours=_short(value),
        spread={"ours": _spread(samples)},
        peer=None,
        peer_value=None,
        ratio=None,
        target=None if bound is None else str(bound),
        met=None if bound is None else bound.met(value),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed (nearest rank). Raises ValueError without values."""
    if not values:
        raise ValueError("percentile of nothing: the run has no samples")
    rank = max(1, -(-len(values) * percent // 100))
    return sorted(values)[int(rank) - 1]


def write(report: Report, folder: Path = FOLDER) -> Path:
    """Write `folder`/NAME.json, whole or not at all, and say where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.name}.json"
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path


def table(report: Report) -> str:
    """The rows for a person."""
    lines = [f"{'metric':38} {'ours':>10} {'peer':>10} {'ratio':>7}  target"]
    for found in report.results:
        peer = "" if found.peer_value is None else f"{found.peer_value:g}"
        ratio = "" if found.ratio is None else f"{found.ratio:.2f}"
        verdict = {True: "met", False: "MISSED", None: ""}[found.met]
        against = f" ({found.peer})" if found.peer else ""
        lines.append(
            f"{found.metric:38} {found.ours:>10g} {peer:>10} {ratio:>7}  {found.target or ''} {verdict} "
            f"{found.unit}{against}"
        )
    return "\n".join(line.rstrip() for line in (*lines, *report.notes))


def _spread(samples: Sequence[float]) -> tuple[float, float]:
    return _short(min(samples)), _short(max(samples))


def _short(value: float) -> float:
    """Digits that mean something: four, more would be noise in a file that people compare."""
    return float(f"{value:.{_DIGITS}g}")
