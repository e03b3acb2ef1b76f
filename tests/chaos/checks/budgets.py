"""Invariant 5: parallel nodes, cooldown and unavailable pods stay within the policy; who is evicted has a place kept.

One budget is for all: a plan may evict nobody while pods are down that left for plans, for broken partitions, or that
are on their way out for others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.checks.violation import Violation
from tests.chaos.facts import BEGUN, HARDWARE, Claim, GpuNode, Kind, Plan, Pod, ReplicaSet
from tests.chaos.history import OPERATOR, Audited, Change, History

MOVED_SECONDS = 600.0
"""After that a moved pod whose successor never came counts no longer."""
_WHOLE_SECOND = 1.0  # dates in objects are cut to one


def check(history: History) -> Iterator[Violation]:
    """The plans as they begin, and the evictions in the order in which they were answered."""
    fold = _Fold(history)
    evictions = [one for one in history.audited if one.resource == "pods/eviction" and one.who == OPERATOR]
    waiting = sorted((one for one in evictions if one.code < 300), key=lambda one: one.received)
    for change in history.changes:
        # what was stored before the eviction was asked for is what it was decided on, at the latest
        while waiting and waiting[0].received <= change.begun:
            yield from fold.evicts(waiting.pop(0))
        yield from fold.takes(change)
    for one in waiting:
        yield from fold.evicts(one)


@dataclass(frozen=True, slots=True)
class _Moved:
    """A pod that was evicted, when, and the uid of who makes its successor; "" where it is down only until it is gone,
    since another takes its place."""

    at: float
    key: str
    owner: str


@dataclass
class _Fold:
    """What is known at one moment of the history. `given_up`: when a plan kept a place for a pod's successor last,
    by (plan, pod). `born`: when pods came, by uid."""

    history: History
    plans: dict[str, Plan] = field(default_factory=dict)
    nodes: dict[str, GpuNode] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    rested: dict[str, float] = field(default_factory=dict)
    moved: dict[str, _Moved] = field(default_factory=dict)
    given_up: dict[tuple[str, str], float] = field(default_factory=dict)
    born: dict[str, float] = field(default_factory=dict)

    def takes(self, change: Change) -> Iterator[Violation]:
        """One more write."""
        _remember(self.plans, Kind.PLAN, change)
        _remember(self.nodes, Kind.GPU_NODE, change)
        _remember(self.claims, Kind.CLAIM, change)
        _remember(self.pods, Kind.POD, change)
        if isinstance(change.after, Pod):
            self.born.setdefault(change.after.uid, change.done)
        if change.kind is Kind.REPLICA_SET:
            for one, replicas in ((change.before, 0), (change.after, None)):
                if isinstance(one, ReplicaSet):
                    self.wanted[one.uid] = one.replicas if replicas is None else replicas
        if change.kind in (Kind.POD, Kind.REPLICA_SET):
            self._settle()
        if isinstance(change.before, Plan):
            self.given_up |= {(change.key, name): change.done for name in change.before.kept}
        if isinstance(change.after, Plan):
            yield from self._begins(change, change.before if isinstance(change.before, Plan) else None, change.after)

    def _begins(self, change: Change, before: Plan | None, after: Plan) -> Iterator[Violation]:
        if before is not None and before.phase in HARDWARE and after.phase not in HARDWARE:
            self.rested[after.node] = change.begun
        if after.phase not in BEGUN or before is None or before.phase in BEGUN:
            return
        others = {key: plan.node for key, plan in self.plans.items() if key != change.key and plan.phase in BEGUN}
        limits = self.history.limits
        if after.node in others.values():
            yield _violation(change.done, change.key, f"two plans change {after.node} at once: {[*others]}")
        elif len(set(others.values())) + 1 > limits.parallel_nodes:
            text = f"{len(others) + 1} nodes change at once, maxParallelNodes is {limits.parallel_nodes}: {[*others]}"
            yield _violation(change.done, change.key, text)
        if after.node not in self.rested or after.person:
            return
        rest = change.done - self.rested[after.node] + _WHOLE_SECOND
        # whose date jumps cannot know how long a node has rested
        jumped = self.history.disturbed(self.rested[after.node], change.done, "clock")
        if rest < limits.cooldown_seconds and not jumped:
            text = f"{after.node} changes again after {rest:.1f} s, its cooldown is {limits.cooldown_seconds:.0f} s"
            yield _violation(change.done, change.key, text)

    def evicts(self, one: Audited) -> Iterator[Violation]:
        """The operator evicts a pod."""
        pod = self.pods.get(one.key)
        if pod is None:
            return
        name = one.key.rpartition("/")[2]
        for_plan = self._kept_by_plan(name, self.history.seen_since(one.received))
        for_node = any(name in node.kept for node in self.nodes.values())
        for_claim = any(pod.uid in claim.victims for claim in self.claims.values())
        if not (for_plan or for_node or for_claim):
            text = f"pod {one.key} is evicted, and no place is kept for its successor"
            yield _violation(one.answered, one.key, text)
        down = sorted(
            moved.key for uid, moved in self.moved.items() if uid != pod.uid and one.received - moved.at < MOVED_SECONDS
        )
        most = self.history.limits.unavailable_pods
        if for_plan and len(down) >= most:
            text = f"pod {one.key} is evicted while {down} are down, maxUnavailablePods is {most}"
            yield _violation(one.answered, one.key, text)
        self.moved[pod.uid] = _Moved(one.received, one.key, pod.owner if for_plan or for_node else "")

    def _kept_by_plan(self, name: str, since: float) -> bool:
        """Whether a plan keeps a place for the pod's successor, or did when the eviction was decided on."""
        present = any(name in plan.kept for plan in self.plans.values())
        return present or any(pod == name and at >= since for (_, pod), at in self.given_up.items())

    def _settle(self) -> None:
        """A move is over once its pod has to go and its controller has as many pods running as it wants, without those
        that came before the eviction and do not run, which is not for its sake. Who left for another has to be gone."""
        if not self.moved:
            return
        there = {pod.uid for pod in self.pods.values()}
        stays = [pod for pod in self.pods.values() if pod.lives]
        for uid, moved in list(self.moved.items()):
            if moved.owner:
                counted = sum(
                    pod.owner == moved.owner and (pod.phase == "Running" or self.born[pod.uid] < moved.at)
                    for pod in stays
                    if pod.uid not in self.moved
                )
                over = counted >= self.wanted.get(moved.owner, 0) and all(pod.uid != uid for pod in stays)
            else:
                over = uid not in there
            if over:
                del self.moved[uid]


def _remember(known: dict[str, Any], kind: Kind, change: Change) -> None:
    if change.kind is not kind:
        return
    if change.after is None:
        known.pop(change.key, None)
    else:
        known[change.key] = change.after


def _violation(at: float, key: str, text: str) -> Violation:
    return Violation(5, at, (key,), text)
