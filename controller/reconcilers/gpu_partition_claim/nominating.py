"""Places kept for claims that find none: who leaves for them, or which place is kept because they waited long.

Asked by the demands of one cycle, in steps. To keep what was found, to store it and to evict is for others.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from api.v1beta1.gpu_partition_claim import NominatedDevice, Nomination, NominationReason
from controller.gpu.identity import PartitionId
from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.filters import refuse_node
from controller.placement.occupant import Occupant
from controller.placement.preemption import NoVictims, Occupied, Preemption, Preemptor
from controller.placement.ranking import alike
from controller.placement.reservation import most_places, overtaken, waits_long
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Snapshot
from controller.placement.steps import Steps, finished
from controller.repartition.candidates import Candidate, candidates
from controller.state.cluster import Cluster
from controller.state.nominations import Nominated
from controller.state.occupancy import admin_held
from controller.state.occupants import occupants

#: Most pods that are evicted for one claim: a nomination lists them.
MOST_VICTIMS = 64
#: A place for a demand that has waited long is looked for this often, seconds, where there was none.
LOOK_AGAIN_SECONDS = 10.0
#: Sorts of demands of which that is remembered.
REMEMBERED = 1024

#: Places that others leave, chosen in one cycle: each is looked for at some cost, and pods leave one after the other.
MOST_A_CYCLE = 8

LATER = NoVictims("PreemptionLater", "others come first")
SHARES = NoVictims("ShareGroup", "nobody leaves for a share group")
NOBODY = NoVictims("NobodyToPreempt", "nobody has a lower priority, and its namespace is promised nothing")


class Nominating:
    """What can be kept for demands on one snapshot. `refused`: uids of pods whose eviction was refused a moment ago.

    `looked`: when a place was last looked for in vain for demands of a sort that have waited long, seconds since the
    epoch; it is kept from cycle to cycle.
    """

    def __init__(
        self,
        cluster: Cluster,
        scheduler: ModelScheduler,
        snapshot: Snapshot,
        *,
        refused: Collection[str] = (),
        looked: dict[Demand, float] | None = None,
        now: datetime,
    ) -> None:
        self._cluster = cluster
        self._scheduler = scheduler
        self._snapshot = snapshot
        self._refused = refused
        self._looked = looked if looked is not None else {}
        self._now = now
        self._in_vain: dict[Demand, NoVictims] = {}
        self._left = MOST_A_CYCLE
        self._occupants: tuple[Occupant, ...] = ()
        self._preemptor: Preemptor | None = None

    def anew(self, snapshot: Snapshot) -> "Nominating":
        """The same on a later snapshot of the same cycle: the claims that have a place are read once for all of it."""
        return self._on(snapshot, {})

    def following(self, snapshot: Snapshot) -> "Nominating":
        """The same on one that differs by what others did meanwhile: who was looked for in vain is not again."""
        return self._on(snapshot, self._in_vain)

    def _on(self, snapshot: Snapshot, in_vain: dict[Demand, NoVictims]) -> "Nominating":
        later = Nominating(
            self._cluster, self._scheduler, snapshot, refused=self._refused, looked=self._looked, now=self._now
        )
        later._left, later._in_vain = self._left, in_vain
        if self._preemptor is not None:
            later._occupants, later._preemptor = self._occupants, self._preemptor.anew(snapshot)
        return later

    @property
    def exhausted(self) -> bool:
        """Whether so many places were kept that the rest has to wait for another cycle."""
        return self._left <= 0

    def preempt(self, demand: Demand) -> Nomination | NoVictims | None:
        """The place that others are to leave for the demand, or why none is; None while one is kept already."""
        return finished(self.preempting(demand))

    def preempting(self, demand: Demand) -> Steps[Nomination | NoVictims | None]:
        """The same in steps."""
        kept = self._cluster.nominations.get(demand.key)
        if kept is not None and not kept.reserved:
            yield from self.reading()
            if self._awaits(kept):
                return None
        if demand.shared is not None:
            return SHARES
        if not self._could(demand):
            return NOBODY
        if self.exhausted:
            return LATER
        alike = anybody(demand)
        if alike in self._in_vain:
            return self._in_vain[alike]
        preemptor = yield from self.reading()
        found = yield from preemptor.finding(demand)
        if isinstance(found, Preemption) and len(found.victims) > MOST_VICTIMS:
            found = NoVictims("TooManyVictims", f"{len(found.victims)} pods would have to leave for it")
        if isinstance(found, NoVictims):
            self._in_vain[alike] = found
            return found
        self._left -= 1
        return self._place(found)

    def _place(self, found: Preemption) -> Nomination:
        """The place that others leave, with their uids: of those who are to be asked, and of those who leave anyway."""
        placed, reason = found.placed, NominationReason.PREEMPTION
        holders = self._holders(placed)
        leaving = sorted({each.uid for each in self._occupants if each.leaving and each.key in holders})
        victims = [*(each.uid for each in found.victims), *leaving][:MOST_VICTIMS]
        return _kept(placed.node.name, placed.ids, reason, victims, self._now)

    def reserve(self, demand: Demand) -> Nomination | None:
        """The place that is kept from now on because the demand has waited long; None where none is due or helps."""
        return finished(self.reserving(demand))

    def reserving(self, demand: Demand) -> Steps[Nomination | None]:
        """The same in steps."""
        kept = self._cluster.nominations.get(demand.key)
        if kept is not None or demand.shared is not None or not self._due([demand]):
            return None
        found = yield from self._long_awaited(demand)
        if found is None:
            self._remember(anybody(demand))
        return found

    def keeping_together(self, gang: Sequence[Demand]) -> Steps[dict[str, Nomination]]:
        """The places that are kept for a gang that does not fit, by claim: for every member or, empty, for none."""
        kept = [self._cluster.nominations.get(demand.key) for demand in gang]
        preempting = [each for each in kept if each is not None and not each.reserved]
        if len(preempting) == len(gang):
            yield from self.reading()
            if any(map(self._awaits, preempting)):
                return {}
        if any(map(self._could, gang)):
            preemptor = yield from self.reading()
            found = yield from preemptor.finding_together(gang, by_right=True)
            if not isinstance(found, NoVictims) and all(len(one.victims) <= MOST_VICTIMS for _, one in found):
                return {demand.key: self._place(one) for demand, one in found}
        if all(kept) or not self._due(gang):
            return {}
        preemptor = yield from self.reading()
        found = yield from preemptor.finding_together(gang, by_right=False)
        if isinstance(found, NoVictims):
            self._remember(anybody(gang[0]))
            return {}
        reason = NominationReason.RESERVATION
        return {demand.key: _kept(one.placed.node.name, one.placed.ids, reason, [], self._now) for demand, one in found}

    def _due(self, demands: Sequence[Demand]) -> bool:
        """Whether demands that are placed together have waited long, and one more place may be kept."""
        now = self._now.timestamp()
        count = sum(demand.requirement.count for demand in demands)
        largest = max(demand.requirement.bytes for demand in demands)
        oldest = min(demands, key=lambda demand: demand.created_seconds)
        whole = replace(oldest, requirement=replace(oldest.requirement, bytes=largest, count=count))
        if not waits_long(whole, self._largest_gpu, now):
            return False
        if sum(each.reserved for each in self._cluster.nominations) >= most_places(len(self._snapshot.nodes)):
            return False
        return now - self._looked.get(anybody(demands[0]), 0.0) >= LOOK_AGAIN_SECONDS

    def _remember(self, alike: Demand) -> None:
        """That there was no place to keep for demands of that sort."""
        if len(self._looked) >= REMEMBERED:
            self._looked.clear()
        self._looked[alike] = self._now.timestamp()

    def _long_awaited(self, demand: Demand) -> Steps[Nomination | None]:
        preemptor = yield from self.reading()
        awaiting = yield from preemptor.awaiting(demand)
        if awaiting is not None:
            placed = awaiting.placed
            ids = placed.ids if overtaken(demand, awaiting) else ()
            return _kept(placed.node.name, ids, NominationReason.RESERVATION, [], self._now) if ids else None
        whole = yield from self._to_be_changed(demand)
        if whole is None:
            return None
        ids = tuple(partition.id for partition in whole.target.partitions)
        return _kept(whole.node.name, ids, NominationReason.RESERVATION, [], self._now)

    def _to_be_changed(self, demand: Demand) -> Steps[Candidate | None]:
        """The GPU that another mode would make fit once it is idle, where a policy changes idle GPUs by itself."""
        if demand.requirement.count != 1:
            return None
        held, found = admin_held(self._cluster), list[Candidate]()
        for node in self._snapshot.nodes:
            if _changes_idle_gpus(self._snapshot, demand, node):
                changes = candidates(self._snapshot, demand, node, held, evicting=True)
                found += (each for each in changes if len(each.touched) == 1)
            yield
        return min(found, key=Candidate.cost, default=None)

    @cached_property
    def _largest_gpu(self) -> int:
        gpus = (gpu for node in self._snapshot.nodes for gpu in node.gpus)
        return max((sum(one.bytes for one in gpu.partitions) for gpu in gpus), default=0)

    def _could(self, demand: Demand) -> bool:
        """Whether it may have rights at all: of what is known without a look at every claim."""
        lowest = self._cluster.priorities.lowest
        if lowest is not None and lowest < demand.priority:
            return True
        policies = self._cluster.policy_table.values()
        return any(
            quota.namespace == demand.namespace and quota.min for policy in policies for quota in policy.spec.quotas
        )

    def _awaits(self, kept: Nominated) -> bool:
        """Whether the place is still being left: by one who was asked to, or by the traces that one leaves a while.

        A pod's ResourceClaim outlives our claim by moments, and then looks like anybody's. Another claim of ours has
        taken the place for good.
        """
        node = self._snapshot.node(kept.node)
        if any(each.uid in kept.victims for each in self._occupants):
            return True
        places = (one for gpu in node.gpus for one in gpu.partitions) if node is not None else ()
        holders = (self._snapshot.holder(node, one) for one in places if node is not None and one.id in kept.partitions)
        return any(holder is not None and holder.kind == "foreign" for holder in holders)

    def _holders(self, placed: Placed) -> set[str]:
        holders = (self._snapshot.holder(placed.node, one) for one in placed.partitions)
        return {holder.name for holder in holders if holder is not None}

    def reading(self) -> Steps[Preemptor]:
        """Read who has a place, once: a pause after each claim. Who may have to leave is then at hand."""
        if self._preemptor is None:
            policies = {node.name: _policy(node) for node in self._snapshot.nodes}
            claims, pods, found = self._cluster.claim_table, self._cluster.pod_table, list[Occupant]()
            for each in occupants(claims, pods, lambda name: policies.get(name, ""), self._refused):
                found.append(each)
                yield
            occupied = yield from Occupied.of(found)
            self._occupants = tuple(found)
            self._preemptor = Preemptor(self._scheduler, self._snapshot, occupied)
        return self._preemptor


def anybody(demand: Demand) -> Demand:
    """The demand without what tells it from others that ask for the same."""
    return alike(demand)


def _policy(node: Node) -> str:
    return node.policy.name if node.policy is not None else ""


def _kept(
    node: str, ids: Iterable[PartitionId], reason: NominationReason, victims: list[str], now: datetime
) -> Nomination:
    devices = [NominatedDevice(bdf=number.bdf, partition=number.index) for number in ids]
    return Nomination(node=node, devices=devices, reason=reason, victims=victims, time=now)


def _changes_idle_gpus(snapshot: Snapshot, demand: Demand, node: Node) -> bool:
    unfit, policy = refuse_node(snapshot, demand, node), node.policy
    if node.reads_only or policy is None or not policy.repartition or policy.approval != "Auto" or unfit is not None:
        return False
    return not any(gpu.plan for gpu in node.gpus)
