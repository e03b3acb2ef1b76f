"""Invariant 6: once everything is back, nothing is stuck; once everything is deleted, nothing is left."""

from collections.abc import Iterator

from tests.chaos.checks.violation import Violation
from tests.chaos.history import History


def check(history: History) -> Iterator[Violation]:
    """What was looked at when time was up."""
    for text in history.stuck:
        yield Violation(6, history.ended, (), f"stuck: {text}")
    for text in history.left:
        yield Violation(6, history.ended, (), f"left behind: {text}")
