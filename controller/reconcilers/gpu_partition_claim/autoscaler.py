"""A pod that fits nowhere, let go so that a cluster autoscaler sees it, where the policy says `ReleaseForAutoscaler`.

It has no node: its ResourceClaim asks for a kind of partition, by product, profile and memory. What the engine reads
is fixed for the kind before the gate opens, so that it holds for whichever device the scheduler gives. The devices of
its ResourceClaim count as held from the moment that they are allocated; what was allocated is then looked at, because
the scheduler knows nothing of policies, plans and quarantine, and written to the claim.
"""

from contextlib import suppress
from typing import Final

from api.condition import find_condition
from api.group import ASSIGNED_PARTITION, CLAIM_LABEL, ENGINE_ARGS, GATE, PROFILE_ID
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from api.v1beta1.gpu_sharing_policy import WhenFull
from api.v1beta1.released import ReleasedFor
from controller.binding.dra import GatedPod, annotate_patch, resource_claim_of
from controller.binding.open_claim import open_claim_spec, open_selector, release_patch
from controller.gpu.mode import Mode
from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.open_place import Kind, kind_for, over_max, unfit
from controller.placement.reservation import being_left
from controller.placement.snapshot import Snapshot
from controller.profiles.selection import Place
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.adopting import held_place
from controller.reconcilers.gpu_partition_claim.claim_refusals import ClaimRefusals, Refusal, make
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import assignment, engine_arguments
from controller.reconcilers.gpu_partition_claim.profile import profile_at
from controller.reconcilers.gpu_partition_claim.profile_wait import LOOK_SECONDS, missing
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import AlreadyExists, Conflict, Invalid, NotFound
from controller.runtime.reconcile import Result
from controller.state.cluster import Cluster
from controller.translate.pod import PodView
from controller.translate.resource_claim import asks_for

#: A pod is let go once it has waited for so long, seconds: what is only being handed on does not call for a node.
PATIENCE_SECONDS: Final = 5.0
#: The node's agent has to tell of a device that the scheduler gave; it is asked for again after this, seconds.
UNKNOWN_SECONDS: Final = 2.0
#: After a conflict with somebody else's write.
SOON_SECONDS: Final = 0.2
RELEASED: Final = "ReleasedForAutoscaler"
#: What a larger cluster would help.
HELPED: Final = frozenset({"NoFreePartition", "NoPartitionFits"})


class Autoscaling:
    """The step of a pending claim that fits nowhere. `look` answers None where that is no matter of this step."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter, refusals: ClaimRefusals) -> None:
        self._context = context
        self._cluster = context.cluster
        self._writer = writer
        self._refusals = refusals

    async def look(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Result | None:
        """Let the pod go when it is time; follow one that was let go."""
        if claim.status.phase is not ClaimPhase.PENDING or pod.deleting:
            return None
        if claim.status.released is None:
            chosen = self._due(key, claim, pod)
            if chosen is None:
                return None
            self._context.cycle.withdraw(key)
            claim = await self._record(claim, pod, chosen)
        if pod.gated:
            return await self._let_go(claim, pod)
        return await self._follow(claim, pod)

    def again(self, result: Result) -> Result:
        """The result of a claim that waits, with another look where it could be let go by then."""
        policies = self._cluster.policy_table.values()
        lets_go = any(policy.spec.when_full is WhenFull.RELEASE_FOR_AUTOSCALER for policy in policies)
        return Result(requeue_after=PATIENCE_SECONDS) if lets_go and result == Result() else result

    def _due(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Kind | None:
        """The kind of partition to let the pod go for now; None while it is to wait here."""
        bound, demand = find_condition(claim.status.conditions, "Bound"), self._context.cycle.unplaced(key)
        if demand is None or demand.resource or not pod.gated or pod.foreign_gates:
            return None
        if claim.status.nomination is not None:  # others leave a place for it
            return None
        if bound is None or bound.status != "False" or bound.reason not in HELPED:
            return None
        waited = (self._context.clock.now() - bound.last_transition_time).total_seconds()
        if waited < PATIENCE_SECONDS or self._cluster.plan_table.for_claim(claim.metadata.uid) is not None:
            return None
        return self._kind(demand)

    def _kind(self, demand: Demand) -> Kind | None:
        """As things stand at this moment: the cycle's word may be some seconds old."""
        snapshot = self._cluster.snapshot()
        if being_left(snapshot, demand):
            return None
        kind = kind_for(snapshot, demand)
        if kind is None or self._cluster.heartbeats.unsettled(node.name for node in snapshot.nodes):
            return None
        return None if isinstance(self._context.cycle.scheduler.schedule(snapshot, demand), Placed) else kind

    async def _record(self, claim: GPUPartitionClaim, pod: PodView, kind: Kind) -> GPUPartitionClaim:
        """Write what the pod is let go for before it is: it is what its engine is told, for good."""
        profile = profile_at(self._context, pod, _place(claim, kind))
        now = self._context.clock.now()
        released = ReleasedFor(product=kind.product, mode=str(kind.mode), bytes=kind.bytes, profile=profile, since=now)
        message = (
            f"fits nowhere at present, and was let go for any partition of {kind.product} in {kind.mode}, so that a "
            "cluster autoscaler sees it"
        )
        told = status.waiting(claim, RELEASED, message, now)
        told = told.model_copy(update={"status": told.status.model_copy(update={"released": released})})
        written = await self._writer.write(told)
        events.tell(self._context.recorder, [pod.reference], events.waiting(RELEASED, message))
        self._context.count("release", "success")
        return written

    async def _let_go(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        """The ResourceClaim first, then the gate: safe to repeat after a crash between the two."""
        released = _released(claim)
        if missing(self._context, pod, released.profile) is not None:
            return Result(requeue_after=LOOK_SECONDS)
        if pod.foreign_gates:
            return Result(requeue_after=UNKNOWN_SECONDS)
        made = await self._claim_made(claim, pod)
        if isinstance(made, Refusal):
            return await self._refused(claim, pod, made)
        if not made:
            await self._writer.name_taken(claim, pod)
            return Result()
        kind = _kind_of(released)
        told = {
            ASSIGNED_PARTITION: f"{released.product} {released.mode}",
            ENGINE_ARGS: engine_arguments(self._context, claim, pod, _place(claim, kind)),
            **({PROFILE_ID: released.profile} if released.profile else {}),
        }
        gated = GatedPod(pod.resource_version, GATE, pod.gates.index(GATE), pod.annotations, pod.node_selector)
        try:
            await self._context.client.json_patch(PODS, pod.name, release_patch(gated, told), pod.namespace)
        except NotFound:
            return Result()
        except (Conflict, Invalid):
            return Result(requeue_after=SOON_SECONDS)
        return Result()

    async def _refused(self, claim: GPUPartitionClaim, pod: PodView, refusal: Refusal) -> Result:
        """The pod was not let go after all: once a ResourceClaim may be made it is decided anew."""
        self._context.count("bind", "refused")
        pause = self._refusals.refused(claim, refusal)
        held = claim.model_copy(update={"status": claim.status.model_copy(update={"released": None})})
        await self._writer.explain(held, pod, refusal.reason, refusal.message)
        return Result(requeue_after=pause)

    async def _claim_made(self, claim: GPUPartitionClaim, pod: PodView) -> bool | Refusal:
        """Whether the pod's ResourceClaim is there and is the one that we write; why none may be made."""
        name, namespace = claim.metadata.name, claim.metadata.namespace or ""
        spec = self._spec(claim)
        present = self._cluster.resource_claim_table.get(f"{namespace}/{name}")
        if present is None:
            wanted = resource_claim_of(name, namespace, pod.name, pod.uid, spec, {CLAIM_LABEL: name})
            try:
                refusal = await make(self._context, wanted, claim)
            except AlreadyExists:  # of an attempt before; the informer shows it soon, and it is judged then
                return True
            if refusal is not None:
                return refusal
            self._refusals.made(claim)
            return True
        return present.owner_uid == pod.uid and not present.deleting and asks_for(present.spec, spec)

    def _spec(self, claim: GPUPartitionClaim) -> dict[str, object]:
        released = _released(claim)
        expression = open_selector(
            product_name(self._cluster, released.product), Mode.parse(released.mode).profile, released.bytes
        )
        return open_claim_spec(expression, claim.spec.requirement.count)

    async def _follow(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        """What the scheduler gave, once it did."""
        present = self._cluster.resource_claim_table.get(f"{claim.metadata.namespace}/{claim.metadata.name}")
        if present is None or present.owner_uid != pod.uid or not present.devices:
            return Result()
        snapshot = self._cluster.snapshot()
        placed = held_place(snapshot, present)
        if placed is None or not placed.node.fresh:
            return Result(requeue_after=UNKNOWN_SECONDS)
        return await self._take(claim, pod, placed, snapshot)

    async def _take(self, claim: GPUPartitionClaim, pod: PodView, placed: Placed, snapshot: Snapshot) -> Result:
        wrong = self._wrong(claim, placed, snapshot)
        if wrong:
            return await self._send_back(claim, pod, wrong)
        now, profile = self._context.clock.now(), _released(claim).profile
        bound = status.allocated(status.bound(claim, placed, now, profile=profile), now)
        bound = bound.model_copy(update={"status": bound.status.model_copy(update={"released": None})})
        # what its engine was told stays, whatever sizing says by now
        where = {
            key: value
            for key, value in assignment(self._context, bound, pod).items()
            if key not in (ENGINE_ARGS, PROFILE_ID)
        }
        try:
            if any(pod.annotations.get(key) != value for key, value in where.items()):
                patch = annotate_patch(pod.resource_version, pod.annotations, where)
                await self._context.client.json_patch(PODS, pod.name, patch, pod.namespace)
        except NotFound:
            return Result()
        except (Conflict, Invalid):
            return Result(requeue_after=SOON_SECONDS)  # the scheduler and the kubelet write the pod, too
        await self._writer.write(bound)
        events.tell(self._context.recorder, [pod.reference], events.bound(status.device_text(bound)))
        self._context.count("bind", "success")
        return Result()

    def _wrong(self, claim: GPUPartitionClaim, placed: Placed, snapshot: Snapshot) -> str:
        released = _released(claim)
        namespace = claim.metadata.namespace or ""
        policy = claim.spec.policy_ref
        found = (
            unfit(placed.node, device.gpu, device.partition, _kind_of(released), namespace, policy)
            for device in placed.devices
        )
        size = sum(partition.bytes for partition in placed.partitions)
        return next(filter(None, found), "") or over_max(snapshot, placed.node, namespace, size)

    async def _send_back(self, claim: GPUPartitionClaim, pod: PodView, wrong: str) -> Result:
        """A pod on a device that it must not have: its successor is gated, and waits or is placed like any other."""
        message = f"the scheduler gave pod {pod.name} a partition that it must not have: {wrong}"
        if pod.owner is None:
            await self._writer.trouble(claim, pod, "Stuck", "DeviceUnfit", f"{message}; delete the pod")
            return Result()
        events.tell(
            self._context.recorder, [pod.reference], events.waiting("DeviceUnfit", f"{message}; it is replaced")
        )
        self._context.count("replace", "success")
        with suppress(NotFound, Conflict):
            await self._context.client.delete(PODS, pod.name, pod.namespace, uid=pod.uid)
        return Result()


def product_name(cluster: Cluster, product: str) -> str:
    """What AMD's driver calls a product, by a device of it that is advertised here; "" where none is."""
    ours = {
        (name, partition.device)
        for name, gpu_node in cluster.gpu_node_table.items()
        for gpu in gpu_node.status.gpus
        if gpu.product == product
        for partition in gpu.partitions
    }
    for piece in cluster.resource_slices.store.values():
        for device in piece.spec.devices:
            named = device.attributes.get("productName")
            if (piece.spec.node_name, device.name) in ours and named is not None and named.string:
                return named.string
    return ""


def _released(claim: GPUPartitionClaim) -> ReleasedFor:
    if claim.status.released is None:
        raise ValueError(f"claim {claim.metadata.namespace}/{claim.metadata.name} was not let go")
    return claim.status.released


def _kind_of(released: ReleasedFor) -> Kind:
    return Kind(released.bytes, released.product, Mode.parse(released.mode))


def _place(claim: GPUPartitionClaim, kind: Kind) -> Place:
    return Place(kind.product, kind.mode, kind.bytes, claim.spec.requirement.count)
