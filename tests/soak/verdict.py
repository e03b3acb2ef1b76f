"""Samples and limits to a verdict for each figure. Pure but for the reading of thresholds.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import mean

from tests.soak.slope import BLOCK_SECONDS, Level, Sample, Slope, slope

FILE = Path(__file__).with_name("thresholds.toml")
WARM_UP_SHARE = 0.4
"""The first samples are left out: caches fill, and events are remembered for ten minutes, a third of a soak."""


_LEVELS: Mapping[str, Level] = {"mean": mean, "highest": max}


class Finding(StrEnum):
    """What the interval says of the limit."""

    FLAT = "flat"
    """All of the interval is within the limit."""
    RISING = "rising"
    """All of the interval is above the limit."""
    UNDECIDED = "undecided"
    """The limit lies within the interval: measure longer."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest growth an hour, and why. `level`: what stands for a minute, its "mean" or its "highest" value."""

    unit: str
    per_hour: float
    why: str
    level: str = "mean"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure: first and last block after the warm-up, slope an hour with its interval, and what follows."""

    metric: str
    unit: str
    first: float
    last: float
    per_hour: float
    interval: tuple[float, float]
    limit_per_hour: float
    finding: Finding


def limits(name: str, path: Path = FILE) -> Mapping[str, Limit]:
    """Figure -> limit. Raises KeyError for a soak without any."""
    return {metric: Limit(**row) for metric, row in tomllib.loads(path.read_text(encoding="utf-8"))[name].items()}


def after_warm_up(samples: Sequence[Sample], share: float = WARM_UP_SHARE) -> Sequence[Sample]:
    """The samples of the later part of the run."""
    begin = max(sample.seconds for sample in samples) * share
    return [sample for sample in samples if sample.seconds >= begin]


def judge(metric: str, samples: Sequence[Sample], limit: Limit, block_seconds: float = BLOCK_SECONDS) -> Verdict:
    """The verdict on samples without their warm-up. Raises ValueError when they are too few for a slope."""
    found = slope(samples, block_seconds, _LEVELS[limit.level])
    return Verdict(
        metric=metric,
        unit=limit.unit,
        first=samples[0].value,
        last=samples[-1].value,
        per_hour=round(found.per_hour, 3),
        interval=(round(found.low, 3), round(found.high, 3)),
        limit_per_hour=limit.per_hour,
        finding=_finding(found, limit.per_hour),
    )


def _finding(found: Slope, limit: float) -> Finding:
    if found.high <= limit:
        return Finding.FLAT
    return Finding.RISING if found.low > limit else Finding.UNDECIDED
