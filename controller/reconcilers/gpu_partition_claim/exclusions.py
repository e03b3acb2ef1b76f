"""Nodes that a pod's successor must not try again yet: its predecessor lost its device there, or was refused.

A node is tried again when something there changed that could matter, and later each time: what refuses a pod may be
nothing that the operator sees (a volume, a port of a pod that it does not know), and change as often as it likes.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from controller.placement.snapshot import Node, Snapshot
from controller.runtime.clock import Clock

Whose: TypeAlias = tuple[str, str]
"""The uid of the controller that makes the pods, and the revision of their template."""

#: How long a node is left out at least after it refused twice, seconds; twice as long each time, up to `MOST_SECONDS`.
AGAIN_SECONDS: Final = 60.0
MOST_SECONDS: Final = 900.0
#: After how long a node is tried though nothing changed that is seen here, in pauses.
UNSEEN_PAUSES: Final = 16
#: How often a node refused is forgotten after this time without another, seconds.
FORGOTTEN_SECONDS: Final = 4 * 3600.0
#: How long the scheduler's first refusal is borne before the pod is made anew, seconds; twice as long each time.
PATIENCE_SECONDS: Final = 30.0


@dataclass(slots=True)
class _Left:
    """One node: what was seen there when it was left out, why, how often, and whether it still is."""

    seen: Hashable
    pods: frozenset[str]
    why: str
    at: float
    pause: float
    times: int
    refused: bool
    holds: bool = True


@dataclass(slots=True)
class _Owner:
    nodes: dict[str, _Left] = field(default_factory=dict)
    replaced: int = 0
    at: float = 0.0


class Exclusions:
    """By owner and revision. Kept in memory only: losing it costs one more try.

    `pods_on` gives the uids of the pods on a node.
    """

    def __init__(
        self, clock: Clock, pods_on: Callable[[str], frozenset[str]] = lambda _: frozenset(), rng: Random | None = None
    ) -> None:
        self._clock = clock
        self._pods_on = pods_on
        self._rng = rng or Random()  # noqa: S311 - spreads retries, guards nothing
        self._owners: dict[Whose, _Owner] = {}

    def lost(self, whose: Whose, node: str, snapshot: Snapshot, claim: str) -> None:
        """Leave `node` out while modes and free partitions there are as they will be once the `claim` has gone."""
        with snapshot.without([claim]):
            present = snapshot.node(node)
            if present is not None:
                self._leave(whose, node, _Left(_room(snapshot, present), frozenset(), "", 0, 0, 0, refused=False))

    def refused(self, whose: Whose, node: str, snapshot: Snapshot, pod: str, said: str) -> None:
        """Leave `node` out until its Node is another one or a pod leaves it, other than the one refused (by uid).

        `said` are the scheduler's words.
        """
        present = snapshot.node(node)
        if present is not None:
            others = self._pods_on(node) - {pod}
            self._leave(whose, node, _Left(_node(present), others, said, 0, 0, 0, refused=True))

    def _leave(self, whose: Whose, node: str, left: _Left) -> None:
        now = self._clock.monotonic()
        self._forget(now)
        owner = self._owners.setdefault(whose, _Owner())
        before = owner.nodes.get(node)
        left.at, left.times = now, before.times + 1 if before is not None else 1
        left.pause = _growing(AGAIN_SECONDS, left.times - 2) * (1 + self._rng.random() / 2)
        owner.nodes[node] = left
        owner.replaced, owner.at = owner.replaced + 1, now

    def excluded(self, whose: Whose, snapshot: Callable[[], Snapshot]) -> frozenset[str]:
        """The nodes still left out. A snapshot is taken only when one is needed."""
        owner = self._owners.get(whose)
        if owner is None or not any(left.holds for left in owner.nodes.values()):
            return frozenset()
        present, now = snapshot(), self._clock.monotonic()
        for name, left in owner.nodes.items():
            left.holds = left.holds and self._holds(left, present, name, now - left.at)
        return frozenset(name for name, left in owner.nodes.items() if left.holds)

    def _holds(self, left: _Left, snapshot: Snapshot, name: str, age: float) -> bool:
        node = snapshot.node(name)
        if node is None:
            return False
        pause = left.pause if left.times > 1 else 0.0
        if age < pause:
            return True
        if not left.refused:
            return _room(snapshot, node) == left.seen
        tried_anyhow = age >= left.pause * UNSEEN_PAUSES
        return not tried_anyhow and _node(node) == left.seen and left.pods <= self._pods_on(name)

    def patience(self, whose: Whose) -> float:
        """How long the scheduler's refusal of a pod is borne before it is made anew, seconds."""
        owner = self._owners.get(whose)
        return _growing(PATIENCE_SECONDS, owner.replaced if owner is not None else 0)

    def words(self, whose: Whose) -> str:
        """What the scheduler said at the nodes that are left out, a sentence each; "" for none."""
        owner = self._owners.get(whose)
        refused = sorted(owner.nodes.items()) if owner is not None else ()
        return ". ".join(
            f"the scheduler refused its predecessor on node {name}: {left.why.rstrip('. ')}"
            for name, left in refused
            if left.holds and left.refused
        )

    def _forget(self, now: float) -> None:
        self._owners = {whose: owner for whose, owner in self._owners.items() if now - owner.at < FORGOTTEN_SECONDS}


def _growing(first: float, times: int) -> float:
    """Twice as long each time."""
    return min(MOST_SECONDS, first * 2.0 ** min(max(0, times), 10))


def _room(snapshot: Snapshot, node: Node) -> Hashable:
    return tuple(
        (gpu.bdf, gpu.mode, tuple(snapshot.holder(node, partition) is None for partition in gpu.partitions))
        for gpu in node.gpus
    )


def _node(node: Node) -> Hashable:
    """What of a Node may make the scheduler take a pod that it refused."""
    labels = frozenset(node.labels.items())
    return node.hostname, labels, node.taints, node.allocatable, node.ready, node.unschedulable
