"""The scheduler's word on the group's one ResourceClaim: the pinned device, another one, or none as it was taken."""

from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.gpu.mode import Mode
from controller.placement.demand import Requirement, Resources
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.pinning import allocation_of, pin_of
from controller.reconcilers.gpu_partition_claim.repair import (
    PATIENCE_SECONDS,
    Repin,
    Wait,
    judge,
    pinned_demand,
    unschedulable,
)
from controller.reconcilers.gpu_partition_claim.writing import ClaimWriter
from controller.reconcilers.share_group.members import Group
from controller.reconcilers.share_group.shared_status import as_shared
from controller.runtime.reconcile import Result
from controller.state.assumptions import Assumption
from controller.translate.pod import PodView


class Confirming:
    """The step of a group whose members were let go."""

    def __init__(self, context: ClaimContext, writer: ClaimWriter) -> None:
        self._context = context
        self._writer = writer

    async def confirm(self, key: str, claim: GPUPartitionClaim, group: Group) -> Result:
        """Compare the scheduler's allocation with the pin."""
        present = self._context.cluster.resource_claim_table.get(key)
        bound = claim.status.phase is ClaimPhase.BOUND
        if present is None or not present.allocated:
            return await self._repair(key, claim, group) if bound else Result()
        held = {(device.pool, device.device) for device in present.devices}
        if held != pin_of(claim).names:
            self._context.count("confirm", "mismatch")
            await self._trouble(claim, group, "DeviceMismatch", "the scheduler allocated another device than was bound")
        elif bound:
            self._context.count("confirm", "success")
            await self._writer.write(status.allocated(status.without_trouble(claim), self._context.clock.now()))
        return Result()

    async def _repair(self, key: str, claim: GPUPartitionClaim, group: Group) -> Result:
        pods = [held.pod for held in group.held if held.pod is not None]
        lost = self._context.cluster.held_devices.of_others(key, pin_of(claim).names)
        verdict = judge(
            self._context.cluster.snapshot(),
            claim,
            pinned_demand(key, claim.metadata.uid, claim.metadata.namespace or "", _needed(claim)),
            lost=lost,
            refused=any(map(self._unschedulable, pods)),
            owned=False,
            age=self._age(claim),
            scorer=self._context.cycle.scheduler.scorer,
        )
        match verdict:
            case Wait(seconds):
                return Result(requeue_after=seconds)
            case Repin(placed):
                assumed = Assumption(key, claim.metadata.uid, placed.node.name, placed.ids, Resources())
                self._context.cluster.assumptions.add(assumed)
                moved = status.bound(status.without_trouble(claim), placed, self._context.clock.now(), rebind=True)
                units = placed.partition.compute_units
                written = await self._writer.write(as_shared(self._context.isolator, moved, claim.status.shares, units))
                self._context.count("rebind", "success")
                where = events.rebound(status.device_text(written))
                events.tell(self._context.recorder, [pod.reference for pod in pods], where)
                return Result(requeue_after=PATIENCE_SECONDS)
            case _:
                await self._trouble(claim, group, "DeviceTaken", "the group's partition is held by somebody else")
                return Result(requeue_after=PATIENCE_SECONDS)

    def _unschedulable(self, pod: PodView) -> bool:
        return unschedulable(self._context.cluster.pods.store.get(f"{pod.namespace}/{pod.name}"))

    def _age(self, claim: GPUPartitionClaim) -> float:
        bound_time = claim.status.bound_time
        return 0.0 if bound_time is None else (self._context.clock.now() - bound_time).total_seconds()

    async def _trouble(self, claim: GPUPartitionClaim, group: Group, reason: str, what: str) -> None:
        pods = [held.pod for held in group.held if held.pod is not None]
        names = ", ".join(pod.name for pod in pods)
        message = (
            f"{what} on node {allocation_of(claim).node}; delete the members' pods ({names}), others found it anew"
        )
        if pods:
            await self._writer.trouble(claim, pods[0], "Stuck", reason, message)


def _needed(claim: GPUPartitionClaim) -> Requirement:
    """A partition of the same size and mode: the shares of memory and compute units stay as they are."""
    device = allocation_of(claim).devices[0]
    return Requirement(device.bytes, 1, frozenset({Mode.parse(device.mode)}))
