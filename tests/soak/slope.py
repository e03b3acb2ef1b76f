"""Whether a figure grows: a straight line through its samples, with a confidence interval. Pure.

Samples that follow each other closely are alike, and a line through all of them would look surer than it is: they are
averaged over a minute first. The interval is Student's, two-sided, 95 %.

For what is counted (descriptors, tasks) a minute's highest count may stand for it instead: a restart of the API server
closes connections and lowers the count for seconds, which says nothing about what stays behind.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist, mean

BLOCK_SECONDS = 60.0
_CONFIDENCE = 0.95
_HOUR = 3600.0

Level = Callable[[Iterable[float]], float]
"""What stands for the values of a block: `mean`, or `max`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A figure at a time, seconds since the start."""

    seconds: float
    value: float


@dataclass(frozen=True, slots=True)
class Slope:
    """Change an hour, and the interval that holds it in 95 of 100 such runs; infinite where there is too little."""

    per_hour: float
    low: float
    high: float


def slope(samples: Sequence[Sample], block_seconds: float = BLOCK_SECONDS, level_of: Level = mean) -> Slope:
    """The slope of the levels of each `block_seconds`. Raises ValueError for less than two blocks."""
    points = blocks(samples, block_seconds, level_of)
    if len(points) < 2:
        raise ValueError(f"{len(points)} blocks of {block_seconds:g} s: a slope needs two, measure longer")
    times, values = [point.seconds for point in points], [point.value for point in points]
    middle, level = mean(times), mean(values)
    spread = sum((time - middle) ** 2 for time in times)
    found = sum((time - middle) * (value - level) for time, value in zip(times, values, strict=True)) / spread
    freedom = len(points) - 2
    if freedom == 0:
        return Slope(found * _HOUR, -inf, inf)
    residual = sum((value - level - found * (time - middle)) ** 2 for time, value in zip(times, values, strict=True))
    margin = student(freedom) * sqrt(residual / freedom / spread)
    return Slope(found * _HOUR, (found - margin) * _HOUR, (found + margin) * _HOUR)


def blocks(samples: Sequence[Sample], block_seconds: float, level_of: Level = mean) -> list[Sample]:
    """The average time and the level of each block that has samples, in order."""
    members: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        members[int(sample.seconds // block_seconds)].append(sample)
    return [
        Sample(mean(sample.seconds for sample in found), level_of(sample.value for sample in found))
        for _, found in sorted(members.items())
    ]


def student(freedom: int) -> float:
    """How many standard errors 95 % lie within, for so many degrees of freedom (1 or more).

    The Cornish-Fisher expansion around the normal quantile; from three degrees on its error is below one percent, and
    below that the two known values are given.
    """
    if freedom < 3:
        return {1: 12.706, 2: 4.303}[freedom]
    z = NormalDist().inv_cdf(0.5 + _CONFIDENCE / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom**power) for power, term in enumerate(terms, start=1))
