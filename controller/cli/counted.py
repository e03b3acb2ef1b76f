"""Numbers of things in words."""

from collections.abc import Sequence
from typing import Final

_MOST_NAMES: Final = 4


def counted(count: int, noun: str) -> str:
    """A number of things: `1 pod`, `2 pods`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def each_of(count: int) -> str:
    """What stands before the size of one of several: `4 x `, and nothing of one alone."""
    return f"{count} x " if count > 1 else ""


def named(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many: `a, b and c`, `a, b, c, d and 3 more`."""
    *first, last = names if len(names) <= _MOST_NAMES else [*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES} more"]
    return f"{', '.join(first)} and {last}" if first else last
