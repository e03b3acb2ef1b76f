"""From which value on a figure is worrying, and in which colour it is shown then."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode

GOOD, WORRYING, BAD, NEUTRAL = "green", "orange", "red", "blue"


@dataclass(frozen=True, slots=True)
class Levels:
    """A colour, and those that follow it from a value on, rising."""

    first: str
    steps: Sequence[tuple[float, str]] = ()


PLAIN: Final = Levels(NEUTRAL)
"""The figure is neither good nor bad."""
NONE_IS_GOOD: Final = Levels(GOOD, ((1, BAD),))
"""A count of what should not be."""
SOME_MATTER: Final = Levels(GOOD, ((1, WORRYING),))
"""A count of what may be for a while."""
ONE_IS_GOOD: Final = Levels(BAD, ((1, GOOD),))
"""1 for yes, which it should be, or 0."""


def limit(value: float) -> Levels:
    """Bad from the value on, at which somebody is told."""
    return Levels(GOOD, ((value, BAD),))


def rising(worrying: float, bad: float) -> Levels:
    """The more the worse."""
    return Levels(GOOD, ((worrying, WORRYING), (bad, BAD)))


def falling(bad: float, worrying: float) -> Levels:
    """The less the worse: bad below the first value, worrying below the second one."""
    return Levels(BAD, ((bad, WORRYING), (worrying, GOOD)))


def steps(levels: Levels) -> list[Threshold]:
    """The levels as Grafana has them: the first one from minus infinity, which JSON has no number for."""
    return [Threshold(None, levels.first), *(Threshold(value, color) for value, color in levels.steps)]


def thresholds(levels: Levels) -> ThresholdsConfig:
    """The levels of a panel."""
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps(levels))
