"""What a plan's phase asks of the world: are the GPUs idle, what did the agent report, is everything as asked?"""

from dataclasses import dataclass

from api.v1beta1 import GPUNode, RepartitionPlan
from api.v1beta1.gpu_node import OperationPhase
from api.v1beta1.repartition_plan import Approval
from controller.binding.dra import DRIVER
from controller.gpu.mode import Mode
from controller.repartition.phases import Event, Phase
from controller.runtime.objects.resource_slice import Device
from controller.state.cluster import Cluster
from controller.state.occupancy import admin_held
from controller.translate.node import gpus, modes

#: Start of the agent's message when it refused because somebody holds a GPU: nothing has changed then.
BUSY = "Busy:"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was observed: the event, None while there is nothing to do but wait, and a sentence."""

    event: Event | None
    message: str


def operation_id(plan: RepartitionPlan, *, rollback: bool) -> str:
    """The operation's identity: the plan's own, and another for the way back."""
    return f"{plan.metadata.uid}-rollback" if rollback else plan.metadata.uid


def observe(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    """What has happened to the plan in its present phase."""
    phase = Phase(plan.status.phase)
    match phase:
        case Phase.PENDING | Phase.AWAITING_APPROVAL:
            return _obsolete(cluster, plan) or _approval(plan, phase)
        case Phase.DRAINING:
            return _draining(cluster, plan)
        case Phase.QUIESCING:
            drained = _draining(cluster, plan)
            return Seen(Event.QUIET, drained.message) if drained.event is Event.IDLE else drained
        case Phase.APPLYING | Phase.RELOADING | Phase.ROLLING_BACK:
            return _operation(cluster, plan, phase)
        case Phase.VERIFYING:
            return _verifying(cluster, plan)
        case _:
            return Seen(None, plan.status.message)


def _approval(plan: RepartitionPlan, phase: Phase) -> Seen:
    if plan.spec.approved or plan.spec.approval is Approval.AUTO:
        return Seen(Event.APPROVED, "approved")
    patch = '{"spec":{"approved":true}}'
    message = f"waits for approval: kubectl patch rpp {plan.metadata.name} --type merge -p '{patch}'"
    return Seen(Event.APPROVAL_NEEDED if phase is Phase.PENDING else None, message)


#: A plan younger than this is not judged by what the informers lack: they may not have caught up, seconds.
CATCH_UP_SECONDS = 10.0


def _obsolete(cluster: Cluster, plan: RepartitionPlan) -> Seen | None:
    """Why the plan must not begin any more: its claim, its policy or the layout it starts from is gone."""
    created = plan.metadata.creation_timestamp
    if created is None or (cluster.clock.now() - created).total_seconds() < CATCH_UP_SECONDS:
        return None
    wanted = plan.spec.claim_ref
    if wanted is not None:
        claim = cluster.claim_table.get(f"{wanted.namespace}/{wanted.name}")
        if claim is None or claim.metadata.uid != wanted.uid:
            return Seen(Event.REFUSED, f"claim {wanted.namespace}/{wanted.name} is gone; nothing was changed")
        if claim.status.allocation is not None:
            return Seen(Event.REFUSED, f"claim {wanted.namespace}/{wanted.name} has a place; nothing was changed")
    if plan.spec.policy_ref is not None:
        policy = cluster.policy_table.get(plan.spec.policy_ref)
        if policy is None or not policy.spec.repartition.enabled:
            return Seen(Event.REFUSED, f"policy {plan.spec.policy_ref} allows no change any more; nothing was changed")
    return None


def moved_on(cluster: Cluster, plan: RepartitionPlan) -> str | None:
    """Which GPU no longer reads the mode that the plan starts from, as a sentence; None when all do."""
    node = cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return None  # the draining check waits for an inventory, and its deadline ends the wait
    present = modes(node)
    for gpu in plan.spec.from_.gpus:
        if str(present.get(gpu.bdf)) != gpu.mode:
            return f"{gpu.bdf} reads {present.get(gpu.bdf)}, the plan starts from {gpu.mode}; nothing was changed"
    return None


def _draining(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    stale = moved_on(cluster, plan)
    if stale is not None:
        return Seen(Event.REFUSED, stale)
    holders = holders_of(cluster, plan)
    if holders is None:
        return Seen(None, f"node {plan.spec.node} has no inventory yet")
    if holders:
        return Seen(None, f"waits until {', '.join(holders)} are idle")
    return Seen(Event.IDLE, "nobody holds the GPUs")


def holders_of(cluster: Cluster, plan: RepartitionPlan) -> list[str] | None:
    """GPUs of the plan that somebody holds, adminAccess included; None when the node is not known.

    A memory-mode change names every GPU of the node, so a plan that misses one is never idle.
    """
    node = cluster.snapshot().node(plan.spec.node)
    if node is None:
        return None
    touched = {gpu.bdf for gpu in plan.spec.to.gpus}
    if _reloads(plan):
        touched |= {gpu.bdf for gpu in node.gpus}
    admin = admin_held(cluster)
    return [
        f"{gpu.bdf}/{partition.id.index}"
        for gpu in node.gpus
        if gpu.bdf in touched
        for partition in gpu.partitions
        if partition.holder is not None or (node.pool, partition.device) in admin
    ]


def _reloads(plan: RepartitionPlan) -> bool:
    before = {Mode.parse(gpu.mode).memory for gpu in plan.spec.from_.gpus}
    return before != {Mode.parse(gpu.mode).memory for gpu in plan.spec.to.gpus}


def _operation(cluster: Cluster, plan: RepartitionPlan, phase: Phase) -> Seen:
    rollback = phase is Phase.ROLLING_BACK
    node = cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return Seen(Event.NODE_GONE, f"GPUNode {plan.spec.node} is gone")
    progress = node.status.operation
    if progress is None or progress.id != operation_id(plan, rollback=rollback):
        return Seen(None, "waits for the agent")
    match progress.phase:
        case OperationPhase.SUCCEEDED:
            done = progress.message or "the agent has changed the modes"
            return Seen(Event.RESTORED if rollback else Event.APPLIED, done)
        case OperationPhase.FAILED:
            refused = progress.message.startswith(BUSY)
            disturbed = refused and phase is Phase.APPLYING
            return Seen(Event.DISTURBED if disturbed else Event.APPLY_FAILED, progress.message)
        case _:
            return Seen(None, f"the agent is at {progress.step or 'the start'}, {progress.progress_percent} %")


def _verifying(cluster: Cluster, plan: RepartitionPlan) -> Seen:
    node = cluster.gpu_node_table.get(plan.spec.node)
    if node is None:
        return Seen(None, f"GPUNode {plan.spec.node} is gone")
    present = modes(node)
    for wanted in plan.spec.to.gpus:
        if str(present.get(wanted.bdf)) != wanted.mode:
            return Seen(Event.MISMATCHED, f"{wanted.bdf} reads {present.get(wanted.bdf)}, asked was {wanted.mode}")
    missing = reported(node) ^ advertised(cluster, plan.spec.node)
    if missing:
        examples = ", ".join(sorted(missing)[:3])
        return Seen(None, f"inventory and advertised devices differ in {len(missing)}: {examples}")
    return Seen(Event.VERIFIED, f"{len(reported(node))} partitions reported and advertised")


def reported(node: GPUNode) -> set[str]:
    """Devices that the agent reports, as `name profile`."""
    return {f"{partition.device} {gpu.mode.profile}" for gpu in gpus(node) for partition in gpu.partitions}


def advertised(cluster: Cluster, node: str) -> set[str]:
    """Devices that the driver advertises for the node, as `name profile`; only its newest pool generation counts."""
    slices = [
        found.spec
        for found in cluster.resource_slices.store.values()
        if found.spec.driver == DRIVER and found.spec.node_name == node
    ]
    newest = max((spec.pool.generation for spec in slices), default=0)
    return {
        f"{device.name} {_profile(device)}"
        for spec in slices
        if spec.pool.generation == newest
        for device in spec.devices
    }


def _profile(device: Device) -> str:
    attribute = device.attributes.get("partitionProfile")
    return (attribute.string if attribute is not None else None) or ""
