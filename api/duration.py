"""Durations: ``"1m30s"`` on the wire, seconds in the program."""

import re
from typing import Annotated, Final

from pydantic import StringConstraints

from api.markers import Remedy, Rule, with_value

DURATION_PATTERN: Final = r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$"

DurationText = Annotated[
    str,
    StringConstraints(pattern=DURATION_PATTERN, max_length=48),
    Remedy("is no duration: write numbers with the units ms, s, m or h, such as 250ms or 1h30m"),
]
"""A duration as text, numbers with units: ``250ms``, ``10s``, ``1h30m``."""

_COMPARABLE: Final = r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s)|[0-9]{1,7}(\.[0-9]{1,3})?m|[0-9]{1,5}(\.[0-9]{1,3})?h){1,4}$"
"""What CEL's duration() reads without overflow, which is an error there: below 292 years in all."""


def longer_than_zero(remedy: str) -> Rule:
    """The rule that a duration is more than nothing; ``remedy`` continues the value."""
    return Rule("!self.matches('^([0.]+(ms|s|m|h))+$')", remedy, with_value(remedy))


def at_most(longest: str, remedy: str) -> Rule:
    """The rule that a duration is no longer than ``longest``; ``remedy`` continues the value."""
    # A text of another form is the pattern's matter.
    rule = (
        f"!self.matches(r'{DURATION_PATTERN}')"
        f" || self.matches(r'{_COMPARABLE}') && duration(self) <= duration('{longest}')"
    )
    return Rule(rule, remedy, with_value(remedy))


_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_WHOLE: Final = re.compile(DURATION_PATTERN.strip("^$"))
_PART: Final = re.compile(r"([0-9.]+)(ms|s|m|h)")


class DurationError(ValueError):
    """A text is no duration."""


def parse_duration(text: str) -> float:
    """The seconds meant by ``text``.

    Raises:
        DurationError: the text has another form; the message names it and a remedy.
    """
    if _WHOLE.fullmatch(text) is None:
        raise DurationError(
            f"duration {text!r} is not understood: write numbers with the units ms, s, m or h, such as 250ms or 1h30m"
        )
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def format_duration(seconds: float) -> str:
    """``seconds`` as the shortest text with whole numbers, to the millisecond: 5400 -> ``1h30m``.

    Raises:
        DurationError: the number is negative.
    """
    if seconds < 0:
        raise DurationError(f"duration {seconds} s is negative: a duration is zero or more seconds")
    rest = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
