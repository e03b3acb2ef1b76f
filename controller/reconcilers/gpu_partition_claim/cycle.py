"""The placement cycle: all waiting demands decided together on one snapshot, in order of priority and age.

Claims are reconciled concurrently, decisions are not: a cycle runs between two awaits, so nothing moves under it, and
what it decides counts at once as an assumption. A demand that found no place is decided again only after something
that could help has changed.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_partition_claim import Nomination
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.gangs import DOES_NOT_FIT, gang_of, place_gang, units, with_members
from controller.placement.preemption import NoVictims
from controller.placement.reservation import being_left
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Snapshot
from controller.reconcilers.gpu_partition_claim.gang_members import gang_in
from controller.reconcilers.gpu_partition_claim.nominating import Nominating
from controller.reconcilers.gpu_partition_claim.patience import Patience
from controller.reconcilers.gpu_partition_claim.refusals import Refusals
from controller.reconcilers.gpu_partition_claim.standing import Surroundings
from controller.reconcilers.gpu_partition_claim.wakeups import Change, helped
from controller.reconcilers.gpu_partition_claim.wishes import plan_for
from controller.repartition import joint
from controller.repartition.disruption_budget import Refused
from controller.repartition.division import DIVIDING, Judging, Pending, Waste, sentence, sort_out, waste_of
from controller.repartition.planner import Proposal
from controller.runtime.clock import Clock
from controller.runtime.manifest import key_of
from controller.state.assumptions import Assumption
from controller.state.cluster import Cluster
from controller.state.nominations import Nominated
from controller.translate.policy_choice import REASONS, refuse_choice

#: A burst of pods is decided together when it arrives within this time, seconds.
GATHER_SECONDS = 0.002
#: Least time between two cycles over demands that found no place, seconds.
RETRY_SECONDS = 0.1
#: An explanation whose reason stays the same is written anew after this time, seconds.
REFRESH_SECONDS = 10.0

QUOTA_EXCEEDED: Final = "QuotaExceeded"
_NO_CHANGE: Final = Refused(QUOTA_EXCEEDED, "no mode change helps a namespace that has reached its max")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, and what would help where there is no place: a mode change, or others who leave one.

    `decided_at` is monotonic seconds. `kept`: the place that is to be kept for the claim.
    """

    decision: Decision
    plan: RepartitionPlan | None = None
    no_plan: Refused | None = None
    decided_at: float = 0.0
    kept: Nomination | None = None
    no_victims: NoVictims | None = None

    @property
    def asks(self) -> bool:
        """Whether something was decided that is lost unless somebody does it."""
        return self.plan is not None or self.kept is not None


@dataclass(slots=True)
class _Reported:
    reasons: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class _Turn:
    """The cluster at one point of a cycle, and what may be asked about it."""

    snapshot: Snapshot
    around: Surroundings
    nominating: Nominating


class PlacementCycle:
    """Holds waiting demands and decides them; `enqueue` is called with the key of a claim whose outcome is new."""

    def __init__(
        self, cluster: Cluster, scheduler: ModelScheduler, clock: Clock, enqueue: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self.scheduler = scheduler
        self._clock = clock
        self._enqueue = enqueue
        self._new: dict[str, Demand] = {}
        self._waiting: dict[str, Demand] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._reported: dict[str, _Reported] = {}
        self._changes: set[Change] = set()
        self._wake = asyncio.Event()
        self.refusals = Refusals()
        self._patience = Patience(cluster, clock)
        self._looked: dict[Demand, float] = {}

    def submit(self, demand: Demand) -> None:
        """Let the next cycle decide this demand. A demand known already keeps its turn."""
        demand = self._cluster.revisions.marked(demand)
        if self._waiting.get(demand.key) == demand:
            return
        self._new[demand.key] = demand
        self._waiting.pop(demand.key, None)
        self._wake.set()

    def withdraw(self, key: str) -> None:
        """Forget a claim: its demand, its outcome, what was assumed for it."""
        self._discard_outcome(key)
        for table in (self._new, self._waiting, self._reported):
            table.pop(key, None)
        self._patience.end(key)
        self._cluster.assumptions.forget(key)

    def _discard_outcome(self, key: str) -> None:
        """Drop an outcome that nobody took; what it wished for was never made and counts no longer."""
        untaken = self._outcomes.pop(key, None)
        if untaken is not None and untaken.kept is not None:
            self._cluster.nominations.forget(key)
        if untaken is not None and untaken.plan is not None:
            self._cluster.plan_table.forget(untaken.plan.metadata.name)

    def take(self, key: str) -> Outcome | None:
        """The outcome for a claim, once; None when nothing was decided since."""
        return self._outcomes.pop(key, None)

    def restore(self, key: str, outcome: Outcome) -> None:
        """Give back an outcome that could not be acted upon yet."""
        self._outcomes.setdefault(key, outcome)

    @property
    def waiting_keys(self) -> tuple[str, ...]:
        """The claims that found no place."""
        return tuple(self._waiting)

    def unplaced(self, key: str) -> Demand | None:
        """The demand of a claim that found no place, as it is known now; None for any other claim."""
        demand = self._waiting.get(key) if key not in self._patience else None
        return None if demand is None else self._cluster.revisions.marked(demand)

    def demand(self, key: str) -> Demand | None:
        """The demand of a claim that waits here, as it is known now; None when it does not."""
        demand = self._waiting.get(key) or self._new.get(key)
        return None if demand is None else self._cluster.revisions.marked(demand)

    def changed(self, change: Change = Change.TIME) -> None:
        """Something changed that could help a waiting demand; those that it cannot help are not decided again."""
        if self._waiting or self._new:
            self._changes.add(change)
            self._wake.set()

    @property
    def waiting(self) -> int:
        """How many demands have no place."""
        return len(self._waiting) + len(self._new)

    async def run(self) -> None:
        """Decide whenever there is something to decide, until cancelled."""
        while True:
            await self._wait()
            await self._clock.sleep(GATHER_SECONDS)
            self._wake.clear()
            changes, self._changes = frozenset(self._changes), set()
            try:
                self.decide(retry=bool(changes), changes=changes)
            except Exception:
                # The worker's edge: one cycle's bug must not end placement; the next change tries again.
                log.exception("placement cycle failed", waiting=self.waiting)
            if changes:
                await self._clock.sleep(RETRY_SECONDS)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(REFRESH_SECONDS if self.waiting else None):
                await self._wake.wait()
        except TimeoutError:
            self._changes.add(Change.TIME)

    def decide(self, *, retry: bool, changes: Collection[Change] = (Change.TIME,)) -> None:
        """One cycle: new demands, and with `retry` those that found no place and may find one after `changes`.

        Synchronous.
        """
        chosen = (*self._new.values(), *(self._helped(changes) if retry else ()))
        # a ReplicaSet may be seen after its first pod
        demands = order(map(self._cluster.revisions.marked, with_members(chosen, self._waiting.values())))
        turn = self._turn()
        for unit in units(demands):
            for demand, outcome in self._outcomes_of(turn, unit):
                if isinstance(outcome.decision, Placed):
                    self._place(turn.snapshot, demand, outcome.decision)
                else:
                    self._wait_on(demand, outcome.decision, outcome)
                    if outcome.asks:
                        turn = self._turn(turn)
                self._new.pop(demand.key, None)
        if turn.nominating.exhausted:
            self.changed()  # more may have to leave for others: in the next cycle

    def _helped(self, changes: Collection[Change]) -> list[Demand]:
        return [
            demand
            for key, demand in self._waiting.items()
            if key not in self._reported or helped(self._reported[key].reasons, changes)
        ]

    def _turn(self, before: _Turn | None = None) -> _Turn:
        """The cluster as it is now, with all that was decided; `before`: earlier in the same cycle."""
        snapshot = self._cluster.snapshot()
        around = Surroundings(self._cluster, snapshot, lambda: self._pending(snapshot, around))
        if before is not None:
            return _Turn(snapshot, around, before.nominating.anew(snapshot))
        refused = self.refusals.current(self._clock.monotonic())
        now = self._clock.now()
        nominating = Nominating(self._cluster, self.scheduler, snapshot, refused=refused, looked=self._looked, now=now)
        return _Turn(snapshot, around, nominating)

    def _pending(self, snapshot: Snapshot, around: Surroundings) -> Pending:
        """All that waits, the first first."""
        first = order((*self._new.values(), *self._waiting.values()))[: joint.MOST_CLAIMS]
        if not around.divides:
            alone = ((each, self._decided(snapshot, (each,))[0][1]) for each in first if not each.gang)
            unplaced = (each for each, why in alone if isinstance(why, Unplaced) and self._helps(snapshot, each, why))
            return Pending(unplaced=tuple(unplaced))
        may_wait = partial(self._patience.lasts, changing=around.changing)
        judging = Judging(partial(self._decided, snapshot), may_wait, partial(self._helps, snapshot))
        return sort_out(snapshot, units(first), judging)

    def _helps(self, snapshot: Snapshot, demand: Demand, why: Unplaced) -> bool:
        """Whether a mode change could help a demand that no partition takes as things are."""
        never = demand.gang or why.reason in REASONS or why.reason == QUOTA_EXCEEDED
        return not never and not self._is_left_to(snapshot, demand)

    def _outcomes_of(self, turn: _Turn, unit: tuple[Demand, ...]) -> Iterator[tuple[Demand, Outcome]]:
        """What becomes of one demand, or of all members of a gang: each is to be acted upon before the next."""
        waits = self._waits_for_division(turn, unit)
        if waits is not None:
            yield unit[0], waits
            return
        decided = self._decided(turn.snapshot, unit)
        kept = self._kept_together(turn, decided)
        for demand, decision in decided:
            if isinstance(decision, Unplaced):
                self._patience.end(demand.key)
                yield demand, kept.get(demand.key) or self._wish(turn, demand, decision)
            else:
                yield demand, Outcome(decision, decided_at=self._clock.monotonic())

    def _waits_for_division(self, turn: _Turn, unit: tuple[Demand, ...]) -> Outcome | None:
        """What a demand waits for that could be placed, but in far too large a partition; None: it does not wait."""
        demand, around = unit[0], turn.around
        if not around.divides:
            return None
        wasted = self._wasted(turn, demand)
        if wasted is None and not self._patience:
            return None
        if wasted is not None and self._cluster.heartbeats.unsettled(node.name for node in turn.snapshot.nodes):
            return self._waiting_for(wasted, None, Refused("InventoryUnknown", "not every agent was heard of yet"))
        division = around.division(self._clock.now())
        waste = division.waits.get(demand.key)
        if waste is None:
            if wasted is None or not division.overlooks(demand.key):
                return None
            return self._waiting_for(wasted, None, Refused("RepartitionLater", "others come first"))
        change, plan = division.change(demand.key), division.joint.served.get(demand.key)
        if plan is not None:
            return self._waiting_for(waste, None, Refused("RepartitionRunning", f"plan {plan} makes its place"))
        if change is None or demand.key in division.later:
            return self._waiting_for(waste, change, Refused("RepartitionBudget", "it begins once others have ended"))
        waits = self._waiting_for(waste, change, None)
        made = self._plan(demand, waits.decision, change) if isinstance(waits.decision, Unplaced) else waits
        return made if made.plan is not None else None

    def _waiting_for(self, waste: Waste, change: Proposal | None, why: Refused | None) -> Outcome:
        """`why` no change is made for it now."""
        until = self._patience.begin(waste.key)
        note = f" ({why.message})" if why is not None else ""
        end = f"; waits until {until:%H:%M:%S} UTC at most, and is then placed as things are"
        return Outcome(Unplaced(DIVIDING, sentence(waste, change) + note + end), no_plan=why)

    def _wasted(self, turn: _Turn, demand: Demand) -> Waste | None:
        if demand.gang or self._refused_choice(demand) is not None:
            return None
        decision = self.scheduler.schedule(turn.snapshot, demand)
        if not isinstance(decision, Placed) or not self._patience.lasts(demand, turn.around.changing):
            return None
        return waste_of(demand, decision)

    def _decided(self, snapshot: Snapshot, unit: tuple[Demand, ...]) -> Sequence[tuple[Demand, Decision]]:
        """The decisions for one demand, or for all members of a gang."""
        refused = next(filter(None, map(self._refused_choice, unit)), None)
        if refused is not None:
            return [(demand, refused) for demand in unit]
        if gang_of(unit[0]) is None:
            return [(unit[0], self.scheduler.schedule(snapshot, unit[0]))]
        gang = gang_in(self._cluster, unit)
        return place_gang(snapshot, gang, self.scheduler, self._clock.now().timestamp())

    def _refused_choice(self, demand: Demand) -> Unplaced | None:
        """Why the policy or class asked for cannot be had: judged at each cycle, so a policy that appears is seen."""
        labels = self._cluster.namespace_labels.get(demand.namespace) or {}
        return refuse_choice(demand, labels, tuple(self._cluster.policy_table.values()))

    def _place(self, snapshot: Snapshot, demand: Demand, decision: Placed) -> None:
        snapshot.hold(decision.node, decision.partitions, demand.key, demand.pod.resources)
        self._cluster.assumptions.add(
            Assumption(demand.key, demand.uid, decision.node.name, decision.ids, demand.pod.resources, demand.resource)
        )
        self._waiting.pop(demand.key, None)
        self._reported.pop(demand.key, None)
        self._patience.end(demand.key)
        self._discard_outcome(demand.key)
        self._outcomes[demand.key] = Outcome(decision, decided_at=self._clock.monotonic())
        self._enqueue(demand.key)

    def _wish(self, turn: _Turn, demand: Demand, decision: Unplaced) -> Outcome:
        """What would help, if it may be done; it counts as under way at once.

        A change of idle GPUs harms nobody, so it comes before others who leave; these before a change that moves them.
        """
        plans = self._cluster.plan_table
        if decision.reason in REASONS or demand.gang or plans.for_claim(demand.uid) is not None:
            return Outcome(decision)
        if self._is_left_to(turn.snapshot, demand):
            return Outcome(decision)
        if self._cluster.heartbeats.unsettled(node.name for node in turn.snapshot.nodes):
            return Outcome(decision, no_plan=Refused("InventoryUnknown", "not every agent was heard of yet"))
        served = turn.around.served(demand, self._clock.now()) if decision.reason != QUOTA_EXCEEDED else None
        if served is not None:
            return Outcome(decision, no_plan=served)
        proposal = turn.around.propose(demand, self._clock.now()) if decision.reason != QUOTA_EXCEEDED else _NO_CHANGE
        if isinstance(proposal, Proposal) and proposal.automatic and not proposal.victims:
            return self._plan(demand, decision, proposal)
        found = turn.nominating.preempt(demand)
        if isinstance(found, NoVictims) and isinstance(proposal, Proposal):
            return self._plan(demand, decision, proposal)
        kept = found if isinstance(found, Nomination) else turn.nominating.reserve(demand)
        if kept is not None:
            kept = self._keep(demand, kept)
        no_plan = proposal if isinstance(proposal, Refused) else None
        return Outcome(decision, no_plan=no_plan, kept=kept, no_victims=found if isinstance(found, NoVictims) else None)

    def _is_left_to(self, snapshot: Snapshot, demand: Demand) -> bool:
        """Whether an older pod is leaving a place for this very demand: of its owner's pods for the first ones."""
        count = being_left(snapshot, demand)
        if count == 0:
            return False
        waiting = (each for each in (*self._new.values(), *self._waiting.values()) if each.owner == demand.owner)
        return demand.key in [each.key for each in order(waiting)[:count]]

    def _kept_together(self, turn: _Turn, decided: Sequence[tuple[Demand, Decision]]) -> dict[str, Outcome]:
        """What becomes of members of a gang for which places are kept from now on, by claim."""
        first = decided[0][1]
        if not isinstance(first, Unplaced) or first.reason != DOES_NOT_FIT:
            return {}
        if self._cluster.heartbeats.unsettled(node.name for node in turn.snapshot.nodes):
            return {}
        found = turn.nominating.together([demand for demand, _ in decided])
        return {
            demand.key: Outcome(decision, kept=self._keep(demand, found[demand.key]))
            for demand, decision in decided
            if demand.key in found
        }

    def _keep(self, demand: Demand, kept: Nomination) -> Nomination | None:
        """A place is kept from now on, before anybody has stored it; for one pod only: a share group has several."""
        pods = list(self._cluster.pods.store.by_index("claim", demand.key))
        if len(pods) != 1:
            return None
        self._cluster.nominations.assume(Nominated.of(demand, key_of(pods[0]), kept))
        return kept

    def _plan(self, demand: Demand, decision: Unplaced, proposal: Proposal) -> Outcome:
        """The mode change, unless one waits for a person there, or the same did not help."""
        plans = self._cluster.plan_table
        awaiting = plans.awaiting_on(proposal.node)
        if awaiting is not None and not proposal.automatic:
            return Outcome(decision, no_plan=Refused("AwaitingApproval", f"plan {awaiting} waits for approval"))
        plan = plan_for(proposal, demand)
        if plans.get(plan.metadata.name) is not None:
            tried = Refused("RepartitionTried", f"plan {plan.metadata.name} was tried for this claim and did not help")
            return Outcome(decision, no_plan=tried)
        plans.assume(plan)
        return Outcome(decision, plan=plan)

    def _wait_on(self, demand: Demand, decision: Unplaced, outcome: Outcome) -> None:
        self._waiting[demand.key] = demand
        wish = outcome.no_plan.reason if outcome.no_plan else ""
        nobody = outcome.no_victims.reason if outcome.no_victims else ""
        reasons = (decision.reason, wish, nobody, *(row.reason for row in decision.refusals))
        now = self._clock.monotonic()
        reported = self._reported.get(demand.key)
        untaken = self._outcomes.get(demand.key)
        if untaken is not None and untaken.asks:
            # what was decided is decided once; it must not be lost undone
            outcome = replace(outcome, plan=outcome.plan or untaken.plan, kept=outcome.kept or untaken.kept)
        stale = reported is None or reported.reasons != reasons or now - reported.at >= REFRESH_SECONDS
        if stale or outcome.asks:
            self._reported[demand.key] = _Reported(reasons, now)
            self._outcomes[demand.key] = outcome
            self._enqueue(demand.key)
