"""Durations as the schema has them: ``"1m30s"`` on the wire. What they mean in seconds is in ``api.seconds``."""

from typing import Annotated, Final

from pydantic import StringConstraints

from api.markers import Remedy, Rule, with_value
from api.seconds import DURATION_PATTERN, DurationError, format_duration, parse_duration

__all__ = [
    "DURATION_PATTERN",
    "DurationError",
    "DurationText",
    "at_most",
    "format_duration",
    "longer_than_zero",
    "parse_duration",
]

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
