"""Invariant 1: no two claims hold one partition, and members of a share group never have more than its memory."""

from collections.abc import Hashable, Iterator

from tests.chaos.checks.violation import Violation
from tests.chaos.facts import Claim, Fact, ResourceClaim
from tests.chaos.history import Change, History


def check(history: History) -> Iterator[Violation]:
    """After every write: who has a partition by our word, and who has a device by the scheduler's."""
    holders: dict[Hashable, dict[str, None]] = {}
    for change in history.changes:
        for thing in _things(change.before):
            holders.get(thing, {}).pop(change.key, None)
        for thing in _things(change.after):
            there = holders.setdefault(thing, {})
            there[change.key] = None
            if len(there) > 1 and thing not in _things(change.before):
                yield _violation(change, tuple(there), f"{thing} is held by {' and '.join(there)} at once")
        if isinstance(change.after, Claim) and change.after.held and change.after.shares > change.after.whole:
            text = f"members of {change.key} have {change.after.shares} bytes of {change.after.whole}"
            yield _violation(change, (change.key,), text)


def _things(fact: Fact | None) -> tuple[Hashable, ...]:
    if isinstance(fact, Claim):
        return tuple(one.place for one in fact.held)
    return fact.devices if isinstance(fact, ResourceClaim) else ()


def _violation(change: Change, objects: tuple[str, ...], text: str) -> Violation:
    return Violation(1, change.done, objects, text)
