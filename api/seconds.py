"""Durations as seconds and back: ``"1m30s"`` is 90. Apart from the schema's, for processes that are to stay small."""

import re
from typing import Final

DURATION_PATTERN: Final = r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$"

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
