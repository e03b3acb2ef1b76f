"""The handover reconciler: one old-revision pod leaves for a newest-revision pod that found no partition.

The place is recorded on its GPUNode, as kept for the waiting pod's ReplicaSet, before anybody is evicted: the record
counts in every budget, and whoever comes after a crash evicts that pod and no other.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from api.v1beta1.gpu_sharing_policy import Rollout
from api.v1beta1.inference_service import Backend
from api.v1beta1.repartition_plan import Reservation
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.reconcilers.gpu_partition_claim.events import Note, tell
from controller.reconcilers.repartition_plan.reservations import down
from controller.reconcilers.repartition_plan.successors import all_places, unsettled
from controller.reconcilers.rollout.handover import Family, Hand, OldPod, decide_handover
from controller.reconcilers.scheduler_counts import Eviction, SchedulerCounts
from controller.reconcilers.unhealthy.kept import kept_places, overdue
from controller.reconcilers.unhealthy.node_writing import MOST_ENTRIES, NodeWriter
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict, NotFound, TooManyRequests
from controller.runtime.clock import Clock
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.occupancy import HOLDING
from controller.translate.pod import PodView

#: A handover that is under way, or has to wait for another one, is looked at again after this many seconds.
LOOK_SECONDS = 2.0
#: One that the present pods and budgets do not allow, seconds.
WAIT_SECONDS = 15.0
#: After a write: the informers show it soon.
SOON_SECONDS = 0.2


class HandoverReconciler:
    """Looks at one waiting claim. A request names the claim."""

    def __init__(
        self,
        client: Client,
        cluster: Cluster,
        cycle: PlacementCycle,
        recorder: EventRecorder,
        clock: Clock,
        scheduler: ModelScheduler,
        counts: SchedulerCounts | None = None,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._cycle = cycle
        self._recorder = recorder
        self._clock = clock
        self._scheduler = scheduler
        self._counts = counts or SchedulerCounts()
        self._writer = NodeWriter(client)

    async def reconcile(self, request: Request) -> Result:
        """One step of a handover."""
        claim = self._cluster.claim_table.get(request.key)
        demand = self._cycle.unplaced(request.key)
        pod = self._cluster.pod_table.of_claim(claim) if claim is not None else None
        if claim is None or pod is None or demand is None or not self._takes_part(pod, demand):
            return Result()
        if claim.status.nomination is not None:  # others leave a place for it already
            return Result(requeue_after=WAIT_SECONDS)
        try:
            under_way = self._recorded(demand)
            if under_way is not None:
                return await self._evict(under_way, pod)
            return await self._begin(demand, pod)
        except Conflict:
            return Result(requeue_after=SOON_SECONDS)

    def _takes_part(self, pod: PodView, demand: Demand) -> bool:
        """Whether it is the pod of a Deployment's newest revision that others roll out.

        A Deployment of ours frees partitions by its strategy.
        """
        if not demand.family or not demand.newest or not pod.gated or pod.deleting or demand.resource:
            return False
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        return service is None or service.status.backend is not Backend.DEPLOYMENT

    def _recorded(self, demand: Demand) -> Reservation | None:
        """The handover that was begun for the demand's revision and did not come to its end."""
        mine = [kept for kept in kept_places(self._cluster) if kept.owner == demand.owner]
        if not mine:
            return None
        now, everything = self._clock.now(), all_places(self._cluster, self._cluster.plan_table.values())
        waiting = unsettled(self._cluster, everything)
        return next((kept for kept in mine if kept in waiting and not overdue(kept, now)), None)

    async def _begin(self, demand: Demand, waiting: PodView) -> Result:
        if all(policy.spec.rollout is not Rollout.HANDOVER for policy in self._cluster.policy_table.values()):
            return Result()
        family = self._family(demand)
        if not family.old:
            return Result(requeue_after=WAIT_SECONDS)
        verdict = decide_handover(self._scheduler, self._cluster.snapshot(), demand, family)
        if not isinstance(verdict, Hand):
            return Result(requeue_after=LOOK_SECONDS if verdict.soon else WAIT_SECONDS)
        target = self._cluster.gpu_node_table.get(verdict.placed.node.name)
        kept = _kept(verdict, demand, self._clock.now())
        if target is None or len(target.spec.reservations) + len(kept) > MOST_ENTRIES:
            return Result(requeue_after=WAIT_SECONDS)
        await self._writer.keep(target, [*target.spec.reservations, *kept])
        note = f"pod {verdict.pod.name} of an older revision hands its partition over to {waiting.name}"
        tell(self._recorder, [waiting.reference], Note("Normal", "Handover", note, "Handover"))
        return Result(requeue_after=SOON_SECONDS)

    async def _evict(self, kept: Reservation, waiting: PodView) -> Result:
        """Ask that very pod to leave; asked again while a disruption budget refuses."""
        old = self._cluster.pod_table.view(f"{kept.namespace}/{kept.pod}")
        if old is None or old.claim != kept.claim or old.deleting or old.terminal:
            return Result(requeue_after=LOOK_SECONDS)
        try:
            await self._client.evict(old.name, old.namespace, old.uid)
        except TooManyRequests as error:
            note = (
                f"the eviction of pod {old.name}, which hands its partition over, is refused for now: {error.message}"
            )
            tell(self._recorder, [waiting.reference], Note("Warning", "HandoverRefused", note, "Handover"))
            return Result(requeue_after=WAIT_SECONDS)
        except NotFound:
            return Result(requeue_after=LOOK_SECONDS)
        self._counts.evicted(Eviction.ROLLOUT, old.uid)
        note = f"evicted: its partition is for pod {waiting.name} of the newest revision"
        tell(self._recorder, [old.reference], Note("Normal", "HandedOver", note, "Handover"))
        return Result(requeue_after=LOOK_SECONDS)

    def _family(self, demand: Demand) -> Family:
        """The Deployment's other pods."""
        old: list[OldPod] = []
        starting = leaving = 0
        for claim, pod in self._relatives(demand):
            key = f"{claim.metadata.namespace}/{claim.metadata.name}"
            holds = claim.status.phase in HOLDING
            if pod.deleting:
                leaving += 1
            elif holds and pod.owner is not None and self._cluster.revisions.newest(pod.owner[2]):
                starting += not pod.ready
            elif holds and claim.status.allocation is not None:
                old.append(OldPod(key, pod.name, pod.uid, claim.status.allocation.node, pod.ready))
        return Family(old, starting, leaving, down(self._cluster, self._cluster.plan_table.values()))

    def _relatives(self, demand: Demand) -> Iterator[tuple[GPUPartitionClaim, PodView]]:
        for claim in self._cluster.claims_in(demand.namespace):
            pod = self._cluster.pod_table.of_claim(claim)
            if pod is None or pod.owner is None or pod.terminal:
                continue
            revision = self._cluster.revisions.of(pod.owner[2])
            if revision is not None and revision.deployment == demand.family:
                yield claim, pod


def _kept(hand: Hand, demand: Demand, now: datetime) -> list[Reservation]:
    """The record of a handover: a place for each partition that the waiting pod gets."""
    return [
        Reservation(
            namespace=demand.namespace,
            pod=hand.pod.name,
            claim=hand.pod.claim.partition("/")[2],
            owner=demand.owner,
            template_hash=demand.template_hash,
            node=hand.placed.node.name,
            bdf=device.partition.id.bdf,
            partition=device.partition.id.index,
            mode=str(device.gpu.mode),
            bytes=device.partition.bytes,
            evicted_time=now,
        )
        for device in hand.placed.devices
    ]


def waiting_claim(event: StoreEvent[Manifest]) -> Iterable[Request]:
    """The claim itself, while it has been told that there is no place for it."""
    status = (event.new or {}).get("status") or {}
    told = any(each["type"] == "Bound" and each["status"] == "False" for each in status.get("conditions") or ())
    return (Request.of(event.key),) if told and status.get("phase") == ClaimPhase.PENDING else ()


def waiting_claims(cycle: PlacementCycle) -> Callable[[StoreEvent[Manifest]], Iterable[Request]]:
    """Every claim without a place: a policy may let old pods hand over from now on."""
    return lambda _: [Request.of(key) for key in cycle.waiting_keys]
