"""May a pod leave its broken partition now, and where does its successor go? Decisions only; no I/O.

A fault must have stood in the claim's condition for a while: a reload of the driver or one bad reading moves nobody.
A place is kept for the successor at one look and the pod is evicted at a later one, so that a crash in between evicts
nobody twice and nobody without a place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.repartition_plan import Reservation
from controller.placement.size_text import gib
from controller.placement.snapshot import Snapshot
from controller.reconcilers.unhealthy.verdict import MOVABLE, Verdict
from controller.repartition.disruption_budget import Refused
from controller.repartition.drain import decide_drain
from controller.repartition.move import Move
from controller.repartition.together import move_together
from controller.repartition.victims import Victim, in_order
from controller.translate.pod import PodView

#: How long a partition must have been broken before its pod is moved, seconds.
MOVE_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """A claim with its verdict. `since`: when the fault was told first, None while it was not.

    `victim` is the pod as one that is to move, None when it is on its way out. `kept` is the place that its successor
    has already, and `stands` says that this is still good. `behind` counts the pods with a place, this one included,
    that wait until this one has gone. `members` are the pods of a share group, which go together, none for a pod's own.
    """

    claim: GPUPartitionClaim
    verdict: Verdict
    since: datetime | None
    victim: Victim | None
    kept: Reservation | None = None
    stands: bool = False
    behind: int = 0
    members: tuple[PodView, ...] = ()

    @property
    def key(self) -> str:
        """`namespace/name` of the claim."""
        return f"{self.claim.metadata.namespace}/{self.claim.metadata.name}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the node. `forbidden`: why nothing is moved there at all, a sentence; "" when it may be.

    `down` of `limit` pods are down for changes already.
    """

    forbidden: str
    down: int
    limit: int


@dataclass(frozen=True, slots=True)
class Stay:
    """The pod stays for now; `note` says why, "" when there is nothing to say."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """A place is to be kept for the successor, a move for each partition of the pod; nobody is evicted yet."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Evict:
    """The place stands reserved: the pod is to go."""

    victim: Victim
    kept: Reservation


Step = Stay | Keep | Evict


def broken_for_good(case: Case, now: datetime) -> bool:
    """Whether the fault is one that moves pods, and has been told long enough."""
    if case.verdict.reason not in MOVABLE or case.since is None:
        return False
    return (now - case.since).total_seconds() >= MOVE_AFTER_SECONDS


def decide(cases: Sequence[Case], rules: Rules, snapshot: Snapshot, node: str, now: datetime) -> dict[str, Step]:
    """What becomes of each claim, by key; the least important pods first, and one new place at a time."""
    steps: dict[str, Step] = {}
    leaving = {case.victim.uid: case for case in cases if case.victim is not None and broken_for_good(case, now)}
    kept = False
    for victim in in_order(case.victim for case in leaving.values() if case.victim is not None):
        case = leaving[victim.uid]
        step = _step(case, victim, rules, snapshot, node, another=kept)
        kept = kept or isinstance(step, Keep)
        steps[case.key] = step
    return {case.key: steps.get(case.key, Stay()) for case in cases}


def _step(case: Case, victim: Victim, rules: Rules, snapshot: Snapshot, node: str, *, another: bool) -> Step:
    if rules.forbidden:
        return Stay(rules.forbidden)
    if not victim.owner:
        return Stay("the pod has no controller that would make its successor: delete it by hand")
    if case.kept is not None and not case.stands:
        return Stay("its successor's place was lost; another is looked for")
    if not _begun(case) and (over := _over_budget(case, rules)):
        return Stay(over)
    if case.kept is not None:
        return Evict(victim, case.kept)
    moves = _moves(victim, snapshot, node)
    if isinstance(moves, str):
        return Stay(f"it waits: {moves}")
    return Stay("it waits for its turn") if another else Keep(moves)


def _begun(case: Case) -> bool:
    """Whether some members of the group left already: the budget was asked for all of them."""
    return bool(case.members) and case.kept is not None and case.kept.evicted_time is not None


def _over_budget(case: Case, rules: Rules) -> str:
    """That no more pods may go now, as a sentence; "" when they may.

    Places may have been found for more pods than the budget lets go: they go in order, and plans go first.
    """
    leaving = max(1, len(case.members))
    if rules.down - case.behind + leaving <= rules.limit:
        return ""
    down = f"it waits: {rules.down} of repartition.maxUnavailablePods {rules.limit} pods are down or move"
    if leaving == 1:
        return down
    return f"{down}, and all {leaving} pods of its share group have to go together; raise the limit, or delete them"


def _moves(victim: Victim, snapshot: Snapshot, node: str) -> tuple[Move, ...] | str:
    """Where the pod's successor goes, or why it can go nowhere."""
    if victim.count > 1 or victim.shared is not None:
        return move_together(snapshot, node, victim) or _nowhere(victim)
    found = decide_drain(snapshot, node, frozenset(), [victim], budget_left=1, allowed=lambda _: True)
    if isinstance(found, Refused):
        return found.message
    return found.moves or found.waiting


def _nowhere(victim: Victim) -> str:
    if victim.shared is not None:
        return (
            f"share group {victim.shared.group} needs a partition of {gib(victim.requirement_bytes)} elsewhere, and no "
            "free one takes all its members in the modes that GPUs have now"
        )
    return (
        f"pod {victim.name} needs {victim.count} partitions of {gib(victim.requirement_bytes)} of one node, and none "
        "has so many free that take it in the modes that GPUs have now"
    )
