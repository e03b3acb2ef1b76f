"""Invariant 2: a claim is bound only to a partition that its agent reported in that mode, and while the agent lives."""

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.checks.violation import Violation
from tests.chaos.facts import Claim, GpuNode, Held, Kind, ResourceClaim
from tests.chaos.history import Change, History

FRESH_SECONDS = 40.0


def check(history: History) -> Iterator[Violation]:
    """Every place that a claim newly has."""
    reports: dict[str, list[Change]] = defaultdict(list)
    beats: dict[str, float] = {}
    given: dict[str, frozenset[tuple[str, str]]] = {}
    for change in history.changes:
        if change.kind is Kind.GPU_NODE:
            reports[change.key].append(change)
        elif change.kind is Kind.LEASE and change.before != change.after:
            beats[change.key.rpartition("/")[2]] = change.done
        elif change.kind is Kind.RESOURCE_CLAIM:
            after = change.after
            given[change.key] = frozenset(after.devices) if isinstance(after, ResourceClaim) else frozenset()
        elif isinstance(change.after, Claim):
            adopted = given.get(change.key, frozenset())
            for held in _new(change):
                yield from _judged(history, change, held, reports[held.place[0]], beats, adopted)


def _new(change: Change) -> Iterator[Held]:
    had = {one.place for one in change.before.held} if isinstance(change.before, Claim) else set()
    assert isinstance(change.after, Claim)
    yield from (one for one in change.after.held if one.place not in had)


def _judged(
    history: History,
    change: Change,
    held: Held,
    reports: list[Change],
    beats: dict[str, float],
    adopted: frozenset[tuple[str, str]],
) -> Iterator[Violation]:
    node, since = held.place[0], history.seen_since(change.begun)
    if not any(isinstance(one, GpuNode) and one.reports(held) for one in _seen(reports, since)):
        text = f"{change.key} is bound to {held.place} in {held.mode}, which its agent did not report"
        yield Violation(2, change.done, (change.key, node), text)
    if (node, held.device) in adopted:
        return  # the scheduler's word, which is only told again
    if beats.get(node, 0.0) < since - FRESH_SECONDS:
        text = f"{change.key} is bound to {held.place}, whose agent was silent for more than {FRESH_SECONDS:.0f} s"
        yield Violation(2, change.done, (change.key, node), text)


def _seen(reports: list[Change], since: float) -> Iterator[object]:
    """The reports that were there at some moment since then."""
    for one, successor in zip(reports, [*reports[1:], None], strict=True):
        if successor is None or successor.done >= since:
            yield one.after
