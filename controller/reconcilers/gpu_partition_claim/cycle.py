"""The placement cycle: all waiting demands decided together on one snapshot, in order of priority and age.

Claims are reconciled concurrently, decisions are not: one cycle runs at a time, and what it decides counts at once as
an assumption. It runs in slices of the event loop, so that leases are renewed and webhooks answered while it searches.
A place is decided and taken between two pauses, on a snapshot of that moment. What a search finds is checked against
what changed meanwhile before it counts, and where it does not hold it is searched for anew: a few times with pauses,
then without. Who needs no search is placed before those who do, where it takes nothing that they could be given.

A demand that found no place is decided again only after something that could help has changed.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from api.v1beta1.gpu_partition_claim import Nomination
from controller.placement.decision import Decision, Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.gangs import DOES_NOT_FIT, gang_of, place_gang, units, with_members
from controller.placement.preemption import NoVictims
from controller.placement.reservation import being_left
from controller.placement.scheduler import ModelScheduler, order
from controller.placement.snapshot import Snapshot
from controller.placement.steps import Steps, finished
from controller.reconcilers.gpu_partition_claim.gang_members import gang_in
from controller.reconcilers.gpu_partition_claim.outcome import QUOTA_EXCEEDED, Outcome
from controller.reconcilers.gpu_partition_claim.patience import Patience
from controller.reconcilers.gpu_partition_claim.standing import Surroundings
from controller.reconcilers.gpu_partition_claim.turn import Turn, Turns, others_since
from controller.reconcilers.gpu_partition_claim.wakeups import Change, helped
from controller.reconcilers.gpu_partition_claim.wishes import plan_for
from controller.reconcilers.scheduler_counts import SchedulerCounts, Timed
from controller.repartition import joint
from controller.repartition.disruption_budget import Refused
from controller.repartition.division import DIVIDING, Judging, Pending, Unit, Waste, sentence, sorting_out, waste_of
from controller.repartition.planner import Proposal
from controller.runtime.clock import Clock
from controller.runtime.logger import Logger
from controller.runtime.manifest import key_of
from controller.runtime.slices import Slices
from controller.state.assumptions import Assumption
from controller.state.cluster import Cluster
from controller.state.nominations import Nominated
from controller.translate.policy_choice import REASONS, refuse_choice

__all__ = ["GATHER_SECONDS", "QUOTA_EXCEEDED", "REFRESH_SECONDS", "RETRY_SECONDS", "Outcome", "PlacementCycle"]

#: A burst of pods is decided together when it arrives within this time, seconds.
GATHER_SECONDS = 0.002
#: Least time between two cycles over demands that found no place, seconds.
RETRY_SECONDS = 0.1
#: An explanation whose reason stays the same is written anew after this time, seconds.
REFRESH_SECONDS = 10.0
#: Searches whose outcome does not hold any more when it is there; then one is made without pauses.
MOST_IN_VAIN: Final = 3

log = Logger(__name__)


@dataclass(slots=True)
class _Reported:
    reasons: tuple[str, ...]
    at: float


Decisions = Sequence[tuple[Demand, Decision]]


class _Overtaken(Exception):
    """What others did while a search took its time: what it found does not hold any more."""


@dataclass(frozen=True, slots=True)
class _Left:
    """Demands that wait for a search, or behind others who do. `found`: that they have no place, in the turn `at`."""

    unit: Unit
    at: Turn
    found: Decisions | None


class PlacementCycle:
    """Holds waiting demands and decides them; `enqueue` is called with the key of a claim whose outcome is new."""

    def __init__(
        self,
        cluster: Cluster,
        scheduler: ModelScheduler,
        clock: Clock,
        enqueue: Callable[[str], None],
        counts: SchedulerCounts | None = None,
    ) -> None:
        self._cluster = cluster
        self.scheduler = scheduler
        self._clock = clock
        self._enqueue = enqueue
        self._counts = counts or SchedulerCounts()
        self._new: dict[str, Demand] = {}
        self._waiting: dict[str, Demand] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._reported: dict[str, _Reported] = {}
        self._changes: set[Change] = set()
        self._wake = asyncio.Event()
        self._patience = Patience(cluster, clock)
        self._slices = Slices(clock)
        self._turns = Turns(cluster, scheduler, self._slices, clock, self._pending, self._counts)
        self.refusals = self._turns.refusals
        self._left: list[_Left] = []
        self._came: list[str] = []
        self._now: Turn | None = None

    def submit(self, demand: Demand) -> None:
        """Let the next cycle decide this demand. A demand known already keeps its turn."""
        demand = self._cluster.revisions.marked(demand)
        if self._waiting.get(demand.key) == demand:
            return
        self._new[demand.key] = demand
        self._came.append(demand.key)
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
                await self.decide_in_slices(retry=bool(changes), changes=changes)
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

        Without a pause.
        """
        finished(self._deciding(retry=retry, changes=changes))

    async def decide_in_slices(self, *, retry: bool, changes: Collection[Change] = (Change.TIME,)) -> None:
        """The same with pauses, in which others have their turn; one cycle at a time."""
        await self._slices.run(self._beside_newcomers(self._deciding(retry=retry, changes=changes)))

    def _deciding(self, *, retry: bool, changes: Collection[Change]) -> Steps[None]:
        return self._counts.timed(Timed.CYCLE, self._cycle(retry=retry, changes=changes), self._clock)

    def _cycle(self, *, retry: bool, changes: Collection[Change]) -> Steps[None]:
        self._came.clear()
        self._left.clear()
        chosen = (*self._new.values(), *(self._helped(changes) if retry else ()))
        # a ReplicaSet may be seen after its first pod
        demands = order(map(self._cluster.revisions.marked, with_members(chosen, self._waiting.values())))
        turn = self._now = self._turns.first()
        for unit in units(demands):
            yield from self.scheduler.preparing(turn.snapshot, unit[0])
            turn = self._caught_up(turn)
            self._place_at_once(turn, unit)
            yield
        while self._left:
            turn = yield from self._deciding_on(turn, self._left[0])
            del self._left[0]
            yield
        self._now = None
        if turn.nominating.exhausted:
            self.changed()  # more may have to leave for others: in the next cycle

    def _place_at_once(self, turn: Turn, unit: Unit) -> None:
        """Place those who need no search; the others are left for later."""
        if not self._asks(unit):
            return
        found = self._decided(turn.snapshot, unit)
        placed = [(demand, one) for demand, one in found if isinstance(one, Placed)]
        if len(placed) < len(found):
            self._left.append(_Left(unit, turn, found))
        elif self._may_have_to_wait(turn, unit[0]) or any(self._is_behind(turn, *each) for each in placed):
            self._left.append(_Left(unit, turn, None))
        else:
            for demand, one in placed:
                self._place(turn.snapshot, demand, one)
                self._new.pop(demand.key, None)

    def _may_have_to_wait(self, turn: Turn, demand: Demand) -> bool:
        """Whether a GPU may have to be divided first, although there is a place."""
        return turn.around.divides and bool(self._patience or self._wasted(turn, demand) is not None)

    def _is_behind(self, turn: Turn, demand: Demand, placed: Placed) -> bool:
        """Whether somebody who comes before it, and is not decided yet, could be given what it would take.

        Those of its own priority have no use for a GPU that is in use already, but for the place as it is.
        """
        most = max((each.priority for left in self._left for each in left.unit), default=None)
        if most is None or demand.priority > most:
            return False
        return demand.priority < most or any(turn.snapshot.idle(placed.node, each.gpu) for each in placed.devices)

    def _beside_newcomers(self, cycle: Steps[None]) -> Steps[None]:
        """The cycle. Who comes while it takes its time, and needs no search, is placed meanwhile."""
        for _ in cycle:
            if self._came and self._now is not None:
                came, self._came = dict.fromkeys(self._came), []
                # what the cycle tries on its snapshot is no matter of theirs
                turn, asking = self._turns.following(self._now), (self._new.get(key) for key in came)
                for demand in order(map(self._cluster.revisions.marked, filter(None, asking))):
                    left = len(self._left)
                    if not demand.gang and not any(demand in each.unit for each in self._left):
                        self._place_at_once(turn, (demand,))
                    del self._left[left:]  # for the next cycle
                self._turns.acted_between()
            yield

    def _deciding_on(self, turn: Turn, left: _Left) -> Steps[Turn]:
        """Search for what becomes of some demands, and act upon it; the turn of those after them."""
        turn = self._caught_up(turn)
        for attempt in range(MOST_IN_VAIN + 1):
            if not self._asks(left.unit):
                self.changed()
                return turn
            turn.around.hurried = attempt == MOST_IN_VAIN
            searching = self._outcomes_of(turn, left)
            try:
                return self._act(turn, finished(searching) if turn.around.hurried else (yield from searching))
            except _Overtaken:
                turn = self._now = self._turns.following(turn)
        raise AssertionError("nobody overtakes a search without pauses")

    def _act(self, turn: Turn, outcomes: Iterable[tuple[Demand, Outcome]]) -> Turn:
        for demand, outcome in outcomes:
            if isinstance(outcome.decision, Placed):
                self._place(turn.snapshot, demand, outcome.decision)
            else:
                self._wait_on(demand, outcome.decision, outcome)
                if outcome.asks:
                    turn = self._now = self._turns.after(turn)
            self._new.pop(demand.key, None)
        return turn

    def _asks(self, unit: Unit) -> bool:
        """Whether all of them still wait to be decided, as they were when the cycle began."""
        return all(self.demand(each.key) == each for each in unit)

    def _helped(self, changes: Collection[Change]) -> list[Demand]:
        return [
            demand
            for key, demand in self._waiting.items()
            if key not in self._reported or helped(self._reported[key].reasons, changes)
        ]

    def _caught_up(self, turn: Turn) -> Turn:
        """The turn with what others did since; itself where nobody had the time to."""
        if not self._turns.is_now(turn):
            turn = self._now = self._turns.following(turn)
        return turn

    def _check(self, turn: Turn, unit: Unit, nodes: Collection[str] | None = None, *, unplaced: bool = False) -> None:
        """Raise _Overtaken where what was found for the demands may not be done now.

        `nodes` that it is about are others by now, or any where that is not given; or `unplaced` ones have a place.
        """
        if self._turns.is_now(turn):
            return
        later = self._turns.following(turn)
        if others_since(turn, later, nodes) or not self._asks(unit):
            raise _Overtaken
        if unplaced and all(isinstance(one, Placed) for _, one in self._decided(later.snapshot, unit)):
            raise _Overtaken

    def _pending(self, snapshot: Snapshot, around: Surroundings) -> Steps[Pending]:
        """All that waits, the first first."""
        first = order((*self._new.values(), *self._waiting.values()))[: joint.MOST_CLAIMS]
        if around.divides:
            may_wait = partial(self._patience.lasts, changing=around.changing)
            judging = Judging(partial(self._decided, snapshot), may_wait, partial(self._helps, snapshot))
            return (yield from sorting_out(snapshot, units(first), judging))
        unplaced = []
        for each in first:
            why = None if each.gang else self._decided(snapshot, (each,))[0][1]
            if isinstance(why, Unplaced) and self._helps(snapshot, each, why):
                unplaced.append(each)
            yield
        return Pending(unplaced=tuple(unplaced))

    def _helps(self, snapshot: Snapshot, demand: Demand, why: Unplaced) -> bool:
        """Whether a mode change could help a demand that no partition takes as things are."""
        never = demand.gang or why.reason in REASONS or why.reason == QUOTA_EXCEEDED
        return not never and not self._is_left_to(snapshot, demand)

    def _outcomes_of(self, turn: Turn, left: _Left) -> Steps[Sequence[tuple[Demand, Outcome]]]:
        """What becomes of one demand, or of all members of a gang. Raises _Overtaken."""
        unit = left.unit
        waits = yield from self._waits_for_division(turn, unit)
        if waits is not None:
            return [(unit[0], waits)]
        self._check(turn, unit)  # a place is taken as it is at this moment
        decided = left.found if left.found is not None and left.at is turn else self._decided(turn.snapshot, unit)
        kept = yield from self._kept_together(turn, decided)
        outcomes = []
        for demand, decision in decided:
            if isinstance(decision, Unplaced):
                self._patience.end(demand.key)
                outcomes.append((demand, kept.get(demand.key) or (yield from self._wish(turn, demand, decision))))
            else:
                outcomes.append((demand, Outcome(decision, decided_at=self._clock.monotonic())))
        return outcomes

    def _waits_for_division(self, turn: Turn, unit: Unit) -> Steps[Outcome | None]:
        """What a demand waits for that could be placed, but in far too large a partition; None: it does not wait."""
        demand, around = unit[0], turn.around
        if not around.divides:
            return None
        wasted = self._wasted(turn, demand)
        if wasted is None and not self._patience:
            return None
        if wasted is not None and self._cluster.heartbeats.unsettled(node.name for node in turn.snapshot.nodes):
            return self._waiting_for(wasted, None, Refused("InventoryUnknown", "not every agent was heard of yet"))
        division = yield from around.dividing(self._clock.now())
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
        made = self._plan(turn, demand, waits.decision, change) if isinstance(waits.decision, Unplaced) else waits
        return made if made.plan is not None else None

    def _waiting_for(self, waste: Waste, change: Proposal | None, why: Refused | None) -> Outcome:
        """`why` no change is made for it now."""
        until = self._patience.begin(waste.key)
        note = f" ({why.message})" if why is not None else ""
        end = f"; waits until {until:%H:%M:%S} UTC at most, and is then placed as things are"
        return Outcome(Unplaced(DIVIDING, sentence(waste, change) + note + end), no_plan=why)

    def _wasted(self, turn: Turn, demand: Demand) -> Waste | None:
        if demand.gang or self._refused_choice(demand) is not None:
            return None
        decision = self.scheduler.schedule(turn.snapshot, demand)
        if not isinstance(decision, Placed) or not self._patience.lasts(demand, turn.around.changing):
            return None
        return waste_of(turn.snapshot, demand, decision)

    def _decided(self, snapshot: Snapshot, unit: tuple[Demand, ...]) -> Decisions:
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
        snapshot.hold(decision.node, decision.partitions, demand.key, demand.pod.resources, demand.peer)
        self._cluster.assumptions.add(
            Assumption(demand.key, demand.uid, decision.node.name, decision.ids, demand.pod.resources, demand.resource)
        )
        self._waiting.pop(demand.key, None)
        self._reported.pop(demand.key, None)
        self._patience.end(demand.key)
        self._discard_outcome(demand.key)
        self._outcomes[demand.key] = Outcome(decision, decided_at=self._clock.monotonic())
        self._enqueue(demand.key)

    def _wish(self, turn: Turn, demand: Demand, decision: Unplaced) -> Steps[Outcome]:
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
        served = yield from turn.around.serving(demand, self._clock.now())
        if served is not None:
            return Outcome(decision, no_plan=served)
        proposal = yield from turn.around.proposing(demand, self._clock.now())
        if isinstance(proposal, Proposal) and proposal.automatic and not proposal.victims:
            return self._plan(turn, demand, decision, proposal)
        found = yield from turn.nominating.preempting(demand)
        if isinstance(found, NoVictims) and isinstance(proposal, Proposal):
            return self._plan(turn, demand, decision, proposal)
        kept = found if isinstance(found, Nomination) else (yield from turn.nominating.reserving(demand))
        if kept is not None:
            self._check(turn, (demand,), [kept.node], unplaced=True)
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

    def _kept_together(self, turn: Turn, decided: Decisions) -> Steps[dict[str, Outcome]]:
        """What becomes of members of a gang for which places are kept from now on, by claim."""
        first = decided[0][1]
        if not isinstance(first, Unplaced) or first.reason != DOES_NOT_FIT:
            return {}
        if self._cluster.heartbeats.unsettled(node.name for node in turn.snapshot.nodes):
            return {}
        gang = tuple(demand for demand, _ in decided)
        found = yield from turn.nominating.keeping_together(gang)
        if found:
            self._check(turn, gang, {each.node for each in found.values()}, unplaced=True)
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

    def _plan(self, turn: Turn, demand: Demand, decision: Unplaced, proposal: Proposal) -> Outcome:
        """The mode change, unless one waits for a person there, or the same did not help."""
        self._check(turn, (demand,), [proposal.node], unplaced=decision.reason != DIVIDING)
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
