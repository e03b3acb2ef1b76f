"""Pods leave the place that is kept for a claim that waits: asked to, one after the other, within the policy's budget.

The place stands in the claim's status before anybody is asked, so that whoever goes on after a crash knows of it, and
nobody else gets it meanwhile. Before each eviction it is looked anew whether the claim would then really fit.
"""

from asyncio import CancelledError
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import Nomination, NominationReason
from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.filters import pause
from controller.placement.snapshot import Node, Snapshot
from controller.placement.steps import finished
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.nominating import Nominating
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from controller.reconcilers.scheduler_counts import Eviction
from controller.runtime.client.errors import ApiError, Conflict, NotFound, Timeout, TooManyRequests, Unavailable
from controller.runtime.reconcile import Result
from controller.runtime.slices import Slices
from controller.state.occupancy import HOLDING
from controller.translate.pod import PodView

#: How long a place is kept for a claim whose predecessors there do not leave, seconds: models drain for minutes.
KEPT_SECONDS: Final = 600.0
#: How long a place is kept for a claim that has waited long, seconds; then it is chosen anew.
RESERVED_SECONDS: Final = 1800.0
#: Between two looks at such a place, seconds.
RESERVED_LOOK_SECONDS: Final = 10.0
#: Between two looks at a place that is being left, seconds; what frees it is seen at once.
LOOK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Holding:
    """A pod, and the node that its claim has a place on."""

    pod: PodView
    node: str


class Preempting:
    """The step of a claim that waits and for which a place is kept."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._cluster = context.cluster
        self._cycle = context.cycle
        self._writer = writer
        self._leaving = context.cluster.leaving
        self._slices = Slices(context.clock)

    async def look(self, key: str, claim: GPUPartitionClaim, pod: PodView, result: Result) -> Result:
        """Ask the next one to leave, or give the place up. `result`: what else the claim waits for."""
        kept = claim.status.nomination
        if kept is None or self._cluster.assumptions.get(key) is not None:
            return result
        if self._writer.superseded(key, claim):
            return result  # it was written just now, maybe with another place: what is stored is looked at next
        over = self._over(claim, kept)
        if over:
            await self._end(claim, pod, over)
            return Result(requeue_after=LOOK_SECONDS)
        demand = self._cycle.demand(key)
        if demand is None or pod.deleting or not pod.gated or pod.foreign_gates:
            return Result(requeue_after=LOOK_SECONDS)
        if kept.reason is NominationReason.PREEMPTION:
            await self._evict_next(claim, pod, kept, demand)
            return Result(requeue_after=LOOK_SECONDS)
        return Result(requeue_after=RESERVED_LOOK_SECONDS)

    def _over(self, claim: GPUPartitionClaim, kept: Nomination) -> str:
        """Why the place is no longer kept, a sentence; "" while it is."""
        limit = KEPT_SECONDS if kept.reason is NominationReason.PREEMPTION else RESERVED_SECONDS
        if (self._context.clock.now() - kept.time).total_seconds() > limit:
            return f"it did not get free within {limit:.0f} s"
        node = self._cluster.snapshot().node(kept.node)
        if node is None:
            return f"node {kept.node} is gone"
        wanted = {(device.bdf, device.partition) for device in kept.devices}
        found = [one for gpu in node.gpus for one in gpu.partitions if (one.id.bdf, one.id.index) in wanted]
        if len(found) < len(wanted) or any(one.quarantined or not one.healthy for one in found):
            return f"its partitions on node {kept.node} are not there any more, or broken"
        if any(one.reservation is not None and one.reservation.claim != claim.metadata.uid for one in found):
            return "it is kept for another one now"
        return ""

    async def _end(self, claim: GPUPartitionClaim, pod: PodView, why: str) -> None:
        await self._writer.write(status.not_nominated(claim))
        self._context.count("preempt", "ended")
        await self._writer.tell(pod, events.not_nominated(why))
        self._cycle.changed()

    async def _evict_next(self, claim: GPUPartitionClaim, pod: PodView, kept: Nomination, demand: Demand) -> None:
        if not self._staying(kept, self._holding()):
            return
        nominating = Nominating(
            self._cluster, self._cycle.scheduler, self._cluster.snapshot(), now=self._context.clock.now()
        )
        await self._slices.run(nominating.reading())
        known = self._cluster.nominations.get(demand.key)
        if self._cycle.demand(demand.key) != demand or (known is not None and known.victims != frozenset(kept.victims)):
            return  # it was decided anew meanwhile
        snapshot, holding = self._cluster.snapshot(), self._holding()
        victims = [holding[uid] for uid in kept.victims if uid in holding]
        staying = self._staying(kept, holding)
        if not staying or not all(_quiet(snapshot.node(each.node)) for each in staying):
            return
        if not demand.gang and isinstance(self._cycle.scheduler.schedule(snapshot, demand), Placed):
            self._cycle.changed()  # there is room for it now: nobody has to leave
            return
        if not self._still_right(snapshot, nominating, demand, kept):
            await self._end(claim, pod, "it would not fit there any more, or has no longer the right to")
            return
        spared = self._cycle.refusals.current(self._context.clock.monotonic())
        asked = [each for each in staying if each.pod.uid not in spared]
        for victim in asked:
            if not self._may_leave(snapshot, victim):
                return  # asked anew each time: other claims' victims leave meanwhile
            if not await self._evict(victim.pod, pod):
                if len(staying) == len(victims) == len(kept.victims):
                    await self._end(claim, pod, "a disruption budget refuses the eviction of who holds it")
                return

    def _staying(self, kept: Nomination, holding: Mapping[str, _Holding]) -> list[_Holding]:
        """The victims that nobody has asked to leave yet, or of whom nobody knows whether they were."""
        victims = (holding[uid] for uid in kept.victims if uid in holding)
        return [each for each in victims if not each.pod.deleting and not self._leaving.goes(each.pod.uid)]

    def _holding(self) -> dict[str, _Holding]:
        """Pods that have a place, by uid."""
        found: dict[str, _Holding] = {}
        for claim in self._cluster.claim_table.values():
            allocation, pod = claim.status.allocation, self._cluster.pod_table.of_claim(claim)
            if allocation is not None and claim.status.phase in HOLDING and pod is not None and not pod.terminal:
                found[pod.uid] = _Holding(pod, allocation.node)
        return found

    @staticmethod
    def _still_right(snapshot: Snapshot, nominating: Nominating, demand: Demand, kept: Nomination) -> bool:
        preemptor = finished(nominating.anew(snapshot).reading())
        return preemptor.still_right(demand, kept.node, frozenset(kept.victims))

    def _may_leave(self, snapshot: Snapshot, victim: _Holding) -> bool:
        """Whether the pod may be down, too, by the policy of the node that it is on."""
        node = snapshot.node(victim.node)
        limit = node.policy.max_unavailable_pods if node is not None and node.policy is not None else 1
        return unavailable_pods(self._cluster, self._cluster.plan_table.values(), but=victim.pod.uid) < limit

    async def _evict(self, victim: PodView, preemptor: PodView) -> bool:
        """Ask for the eviction of that very pod; whether it goes or has gone. It is told why, but not for whom."""
        self._leaving.ask(victim)
        try:
            await self._context.client.evict(victim.name, victim.namespace, victim.uid)
        except TooManyRequests:
            self._leaving.stays(victim.uid)
            self._cycle.refusals.add(victim.uid, self._context.clock.monotonic())
            self._context.count("preempt", "refused")
            return False
        except (NotFound, Conflict):
            self._leaving.stays(victim.uid)
            return True  # it is gone, or another pod by that name came
        except (Timeout, Unavailable, CancelledError):
            self._leaving.doubt(victim.uid)
            raise
        except ApiError:
            self._leaving.stays(victim.uid)
            raise
        self._context.count("preempt", "success")
        self._context.counts.evicted(Eviction.PREEMPTION, victim.uid)
        await self._writer.tell(victim, events.preempted(_why(victim, preemptor)))
        return True


def _why(victim: PodView, preemptor: PodView) -> str:
    if victim.priority < preemptor.priority:
        return f"a claim of priority {preemptor.priority} takes its partition, its own is {victim.priority}"
    return "its namespace borrowed GPU memory that another namespace can always have (a quota's min) and asks for"


def _quiet(node: Node | None) -> bool:
    if node is None or pause(node) is not None:
        return False
    return node.fresh and not any(gpu.plan for gpu in node.gpus)
