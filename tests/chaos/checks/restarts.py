"""Invariant 8: whoever restarts, a living pod keeps its claim and its place, and a running one is not ended."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.checks.violation import Violation
from tests.chaos.facts import Claim, Kind, Place, Pod
from tests.chaos.history import OPERATOR, Audited, Change, History

REFUSED = 300
_PROCESSES = "system:"
"""How the names of those begin that are no persons."""


def check(history: History) -> Iterator[Violation]:
    """The claims of pods that live, and deletions of pods that run."""
    fold = _Fold(_by_persons(history))
    for change in history.changes:
        yield from fold.takes(change)
    yield from _ended(history)


def _by_persons(history: History) -> dict[str, list[Audited]]:
    """Deletions of claims by people: they may, and the operator rebuilds what they delete."""
    found: dict[str, list[Audited]] = {}
    for one in history.audited:
        person = not one.who.startswith(_PROCESSES)
        if one.resource == "gpupartitionclaims" and one.verb == "delete" and person and one.code < REFUSED:
            found.setdefault(one.key, []).append(one)
    return found


@dataclass
class _Fold:
    """What is known at one moment: pods by uid, the uids of those that name a claim, when each claim's uid was seen
    first, and the place that a running pod's claim had last, whichever claim that was."""

    persons: dict[str, list[Audited]]
    pods: dict[str, Pod] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    since: dict[str, float] = field(default_factory=dict)
    places: dict[str, set[Place]] = field(default_factory=dict)

    def takes(self, change: Change) -> Iterator[Violation]:
        """One more write."""
        if isinstance(change.after, Pod):
            self.pods[change.after.uid] = change.after
            self.members[f"{change.key.partition('/')[0]}/{change.after.claim}"].add(change.after.uid)
        elif isinstance(change.before, Pod):
            self.pods.pop(change.before.uid, None)
            self.places.pop(change.before.uid, None)
        if isinstance(change.after, Claim):
            self.since.setdefault(change.after.uid, change.begun)
            if change.after.phase == "Allocated":
                yield from self._placed(change, change.after)
        if isinstance(change.before, Claim) and change.before.phase == "Allocated":
            yield from self._lost(change, change.before)

    def _placed(self, change: Change, after: Claim) -> Iterator[Violation]:
        """A claim that was built anew has the place that the pod runs on."""
        has = {one.place for one in after.held}
        had = self.places.get(after.pod, has)
        same_claim = isinstance(change.before, Claim) and change.before.phase == "Allocated"
        if self._runs(after.pod) and has and had != has and not same_claim:
            yield _violation(change, f"of a pod that runs on has {sorted(has)}, it had {sorted(had)}")
        if has:
            self.places[after.pod] = has

    def _lost(self, change: Change, before: Claim) -> Iterator[Violation]:
        if not self._used(change.key, before) or self._excused(change, before):
            return
        if not isinstance(change.after, Claim):
            yield _violation(change, "is gone, and its pod runs on")
        elif not change.after.deleting:
            had, has = ({one.place for one in claim.held} for claim in (before, change.after))
            if had != has:
                yield _violation(change, f"of a pod that runs on has {sorted(has)}, it had {sorted(had)}")

    def _used(self, key: str, claim: Claim) -> bool:
        """Whether its pod runs, or, of a share group's claim, one of the members."""
        if claim.pod:
            return self._runs(claim.pod)
        members = self.members.get(key, ())
        return any(self._runs(uid) for uid in members)

    def _runs(self, uid: str) -> bool:
        pod = self.pods.get(uid)
        return pod is not None and pod.lives and pod.phase == "Running"

    def _excused(self, change: Change, before: Claim) -> bool:
        """Whether a person asked to delete this very claim: one that is built anew in its place is judged again."""
        since = self.since.get(before.uid, change.begun)
        asked = self.persons.get(change.key, ())
        return any(since <= one.answered and one.received <= change.done for one in asked)


def _violation(change: Change, text: str) -> Violation:
    return Violation(8, change.done, (change.key,), f"claim {change.key} {text}")


def _ended(history: History) -> Iterator[Violation]:
    """The operator deletes what cannot be scheduled, never what runs."""
    deletions = [
        one
        for one in history.audited
        if one.resource == "pods" and one.verb == "delete" and one.who == OPERATOR and one.code < REFUSED
    ]
    if not deletions:
        return
    pods = [one for one in history.changes if one.kind is Kind.POD]
    for deletion in deletions:
        known = [one.after for one in pods if one.key == deletion.key and one.done <= deletion.received]
        last = known[-1] if known else None
        if isinstance(last, Pod) and last.lives and last.phase == "Running":
            text = f"pod {deletion.key} runs, and the operator deletes it"
            yield Violation(8, deletion.answered, (deletion.key,), text)
