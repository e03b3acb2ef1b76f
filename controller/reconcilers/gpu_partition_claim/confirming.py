"""The real scheduler's word: it allocated what we pinned, something else, or nothing because the device was taken."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.placement.decision import Placed, PlacedDevice
from controller.placement.demand import Resources
from controller.placement.filters import HOSTNAME_LABEL
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.doubt import settle
from controller.reconcilers.gpu_partition_claim.exclusions import Exclusions, Whose
from controller.reconcilers.gpu_partition_claim.pinning import allocation_of, pin_of
from controller.reconcilers.gpu_partition_claim.placing import demand_of, requirement_of
from controller.reconcilers.gpu_partition_claim.profile import profile_for
from controller.reconcilers.gpu_partition_claim.reading_back import ReadingBack
from controller.reconcilers.gpu_partition_claim.repair import (
    PATIENCE_SECONDS,
    Repin,
    Replace,
    Stuck,
    Wait,
    judge,
    pinned_demand,
    refusal,
    unschedulable,
)
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import ApiError, Conflict, NotFound, Timeout, TooManyRequests, Unavailable
from controller.runtime.reconcile import Result
from controller.state.assumptions import Assumption
from controller.translate.pod import PodView


class Confirming:
    """The step of a claim whose gate is open. `confirm` answers the claim when it was pinned anew, else a Result."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter, exclusions: Exclusions) -> None:
        self._context = context
        self._cluster = context.cluster
        self._writer = writer
        self._exclusions = exclusions
        self._reading_back = ReadingBack(context, writer)

    async def confirm(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim | Result:
        """Compare the scheduler's allocation with the pin, or what the kubelet gave with the resource."""
        if allocation_of(claim).resource is not None:
            return await self._reading_back.confirm(key, claim, pod) or await self._repair(key, claim, pod)
        present = self._cluster.resource_claim_table.get(key)
        bound = claim.status.phase is ClaimPhase.BOUND
        if present is None:
            return Result(requeue_after=PATIENCE_SECONDS if bound else None)
        if not present.allocated:
            return await self._repair(key, claim, pod) if bound else Result()
        pin = pin_of(claim)
        held = {(device.pool, device.device) for device in present.devices}
        if held != pin.names:
            message = f"the scheduler allocated {_listed(held)}, bound was {_listed(pin.names)}; delete the pod"
            self._context.count("confirm", "mismatch")
            await self._writer.trouble(claim, pod, "Allocated", "DeviceMismatch", message)
        elif bound:
            self._context.count("confirm", "success")
            claim = status.allocated(status.without_trouble(claim), self._context.clock.now())
            return await self._reading_back.compare(key, await self._writer.write(claim), pod)
        else:
            return await self._reading_back.compare(key, claim, pod)
        return Result()

    async def _repair(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> GPUPartitionClaim | Result:
        again = self._assumed_place(key)
        if again is not None:
            return await self._repin(key, claim, pod, again)
        node = allocation_of(claim).node
        verdict = judge(
            self._cluster.snapshot(),
            claim,
            pinned_demand(key, claim.metadata.uid, pod.namespace, requirement_of(claim)),
            lost=self._lost(key, claim),
            refused=unschedulable(self._cluster.pods.store.get(f"{pod.namespace}/{pod.name}")),
            owned=pod.owner is not None,
            age=self._age(claim),
            patience=self._exclusions.patience(_whose(pod)),
            elsewhere=lambda: self._elsewhere(key, claim, pod),
            scorer=self._context.cycle.scheduler.scorer,
        )
        match verdict:
            case Wait(seconds):
                return Result(requeue_after=seconds)
            case Repin(placed):
                return await self._repin(key, claim, pod, placed)
            case Replace(refused):
                return await self._replace(key, pod, node, refused=refused)
            case Stuck(refused):
                reason = "SchedulerRefused" if refused else "DeviceTaken"
                message = self._refused_text(pod, node) if refused else _taken_text(pod, node)
                await self._writer.trouble(claim, pod, "Stuck", reason, message)
                return Result(requeue_after=PATIENCE_SECONDS)

    def _refused_text(self, pod: PodView, node: str) -> str:
        said = (self._said(pod) or "it says so no longer").rstrip(". ")
        remedy = (
            "it is made anew as soon as another node has a place for it, later each time; else remove there what "
            "refuses it, or make room on another node"
            if pod.owner is not None
            else "no controller would make it anew: remove there what refuses it, or delete the pod and create it again"
        )
        return f"the scheduler refuses pod {pod.name} on node {node}, to which it is bound: {said}; {remedy}"

    def _said(self, pod: PodView) -> str | None:
        return refusal(self._cluster.pods.store.get(f"{pod.namespace}/{pod.name}"))

    def _elsewhere(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> bool:
        """Whether the pod's successor would find a place on another node, as the cluster is now."""
        stored = self._cluster.pods.store.get(f"{pod.namespace}/{pod.name}")
        if stored is None:
            return False
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        demand = demand_of(key, claim, pod, stored, service)
        # The pin is ours, and the successor has none yet.
        free = tuple(pair for pair in demand.pod.node_selector if pair[0] != HOSTNAME_LABEL)
        left_out = self._exclusions.excluded(_whose(pod), self._cluster.snapshot) | {allocation_of(claim).node}
        asked = replace(demand, pod=replace(demand.pod, node_selector=free), excluded_nodes=left_out)
        snapshot = self._cluster.snapshot()
        with snapshot.without([key]):
            return isinstance(self._context.cycle.scheduler.schedule(snapshot, asked), Placed)

    def _lost(self, key: str, claim: GPUPartitionClaim) -> frozenset[tuple[str, str]]:
        """The pinned devices that somebody else holds; the device plugin's are no one's before they are given."""
        if allocation_of(claim).resource is not None:
            return frozenset()
        return self._cluster.held_devices.of_others(key, pin_of(claim).names)

    def _assumed_place(self, key: str) -> Placed | None:
        """Where an earlier repair wanted to go whose answer was lost: it may be stored, so it is asked for again."""
        assumed = self._cluster.assumptions.get(key)
        if assumed is None or assumed.resource:
            return None
        node = self._cluster.snapshot().node(assumed.node)
        if node is None or not node.fresh:
            return None
        devices = tuple(
            PlacedDevice(gpu, partition)
            for gpu in node.gpus
            for partition in gpu.partitions
            if partition.id in assumed.partitions and partition.healthy and gpu.plan is None
        )
        return Placed(node, devices) if len(devices) == len(assumed.partitions) else None

    def _age(self, claim: GPUPartitionClaim) -> float:
        bound_time = claim.status.bound_time
        return 0.0 if bound_time is None else (self._context.clock.now() - bound_time).total_seconds()

    async def _repin(self, key: str, claim: GPUPartitionClaim, pod: PodView, placed: Placed) -> GPUPartitionClaim:
        # Taken before the write goes out: another repair, or a cycle, must not choose the same partition meanwhile.
        self._cluster.assumptions.add(Assumption(key, claim.metadata.uid, placed.node.name, placed.ids, Resources()))
        profile, now = profile_for(self._context, pod, placed), self._context.clock.now()
        moved = status.bound(status.without_trouble(claim), placed, now, rebind=True, profile=profile)
        try:
            written = await self._writer.write(moved)
        except (Timeout, Unavailable, TooManyRequests):
            raise  # it may have been written: the partition stays assumed until the claim shows what became of it
        except ApiError:
            await settle(self._context, key, claim)
            raise
        self._context.count("rebind", "success")
        events.tell(self._context.recorder, [pod.reference], events.rebound(status.device_text(written)))
        return written

    async def _replace(self, key: str, pod: PodView, node: str, *, refused: bool) -> Result:
        said = (self._said(pod) or "") if refused else None
        if said is None:
            self._exclusions.lost(_whose(pod), node, self._cluster.snapshot(), key)
        else:
            self._exclusions.refused(_whose(pod), node, self._cluster.snapshot(), pod.uid, said)
        events.tell(self._context.recorder, [pod.reference], events.replaced(node, said))
        self._context.count("replace", "success")
        with suppress(NotFound, Conflict):  # gone already, or a successor of the same name
            await self._context.client.delete(PODS, pod.name, pod.namespace, uid=pod.uid)
        return Result()


def _whose(pod: PodView) -> Whose:
    return pod.owner[2] if pod.owner is not None else "", pod.template_hash


def _taken_text(pod: PodView, node: str) -> str:
    return (
        f"node {node} has no partition left for pod {pod.name}, and no controller would make it anew; "
        "delete the pod and create it again"
    )


def _listed(devices: Collection[tuple[str, str]]) -> str:
    return ", ".join(f"{pool}/{device}" for pool, device in sorted(devices))
