"""Invariant 3: who did not opt in is never gated, changed, slowed or evicted, whatever becomes of our webhook."""

from collections.abc import Iterator

from tests.chaos.checks.violation import Violation
from tests.chaos.facts import Pod
from tests.chaos.history import OPERATOR, Audited, Change, History
from tests.chaos.schedule import STORE

SLOW_SECONDS = 10.0
"""Twice as long as the API server waits for a webhook."""
_OF_THE_STORE = ("Unreachable",)


def check(history: History) -> Iterator[Violation]:
    """The pods, the deletions, and the attempts to create some."""
    opted_in: dict[str, bool] = {}
    for change in history.changes:
        pod = change.after or change.before
        if not isinstance(pod, Pod):
            continue
        opted_in[change.key] = pod.opted_in
        if not pod.opted_in:
            yield from _touched(change, pod)
    for one in history.audited:
        if one.who == OPERATOR and any(not opted_in[key] for key in opted_in if _ends(one, key)):
            yield Violation(3, one.answered, (one.key,), f"pod {one.key} did not opt in, and the operator ends it")
    yield from _attempts(history)


def _ends(one: Audited, pod: str) -> bool:
    """Whether that request is to end the pod. Who deletes all of a namespace names it alone."""
    if one.resource == "pods" and one.verb == "deletecollection":
        return pod.startswith(f"{one.key.rstrip('/')}/")
    return one.key == pod and (one.resource == "pods/eviction" or (one.resource, one.verb) == ("pods", "delete"))


def _touched(change: Change, pod: Pod) -> Iterator[Violation]:
    if change.after is not None and (pod.gated or pod.claim or pod.annotated):
        yield Violation(3, change.done, (change.key,), f"pod {change.key} did not opt in, and has something of ours")
    elif change.who == OPERATOR:
        yield Violation(3, change.done, (change.key,), f"pod {change.key} did not opt in, and the operator writes it")


def _attempts(history: History) -> Iterator[Violation]:
    for one in history.attempts:
        if one.refused and one.refused not in _OF_THE_STORE:
            yield Violation(3, one.ended, (one.pod,), f"pod {one.pod} did not opt in, and is refused: {one.refused}")
        slow = one.ended - one.begun > SLOW_SECONDS
        if slow and not one.refused and not history.disturbed(one.begun, one.ended, targets=STORE):
            seconds = one.ended - one.begun
            yield Violation(3, one.ended, (one.pod,), f"pod {one.pod} did not opt in, and waits {seconds:.0f} s")
