"""All invariants, in their order."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from tests.chaos.checks import (
    budgets,
    bystanders,
    leftovers,
    mode_changes,
    reported_places,
    restarts,
    sole_holders,
    traffic,
)
from tests.chaos.checks.violation import Violation
from tests.chaos.history import History

CHECKS: Final[Mapping[int, Callable[[History], Iterator[Violation]]]] = MappingProxyType(
    {
        1: sole_holders.check,
        2: reported_places.check,
        3: bystanders.check,
        4: mode_changes.check,
        5: budgets.check,
        6: leftovers.check,
        7: traffic.check,
        8: restarts.check,
    }
)
"""By the number that the design gives to an invariant."""


def violations(history: History) -> list[Violation]:
    """Everything that does not hold, in the order of time within an invariant."""
    return [violation for check in CHECKS.values() for violation in check(history)]
