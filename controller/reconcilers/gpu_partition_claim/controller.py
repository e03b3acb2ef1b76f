"""The claim reconciler: gathers what is known of one claim and takes the next step."""

from collections.abc import Hashable
from typing import Any

import structlog

from api.condition import find_condition
from api.group import SERVICE_LABEL
from api.object import dump
from api.quantity import parse_quantity
from api.v1beta1 import GPUPartitionClaim
from api.v1beta1.gpu_partition_claim import ClaimPhase
from controller.gpu.mode import Mode
from controller.placement.decision import Placed
from controller.placement.demand import Demand, Requirement
from controller.reconcilers.gpu_partition_claim import events, status
from controller.reconcilers.gpu_partition_claim.admit import Unsized, claim_for, need_of
from controller.reconcilers.gpu_partition_claim.bind import (
    Ensured,
    Opened,
    ensure_resource_claim,
    open_gate,
    pin_of,
)
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.cycle import Outcome
from controller.reconcilers.gpu_partition_claim.exclusions import Exclusions
from controller.reconcilers.gpu_partition_claim.owners import Owners, reference
from controller.reconcilers.gpu_partition_claim.repair import (
    PATIENCE_SECONDS,
    Repin,
    Replace,
    Stuck,
    Wait,
    judge,
    pinned_demand,
    taken_by_other,
    unschedulable,
)
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    NotFound,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from controller.runtime.reconcile import Request, Result
from controller.state.kinds import GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from controller.translate.pod import PodView, constraints

log = structlog.get_logger(__name__)

#: A pod that keeps changing under the patch, or an old ResourceClaim on its way out, is looked at again after this.
SOON_SECONDS = 0.2
#: Reasons for which another mode could be the answer.
HELPED_BY_A_CHANGE = frozenset({"NoFreePartition", "NoPartitionFits"})
#: How long a pin that the API server refused is not tried again.
REFUSED_PAUSE_SECONDS = 60.0


class ClaimReconciler:
    """Takes one claim one step further at each call. A request names the claim, which may not exist yet."""

    def __init__(self, context: ClaimContext) -> None:
        self._context = context
        self._cluster = context.cluster
        self._owners = Owners(context.client, context.cluster)
        self._exclusions = Exclusions()
        self._superseded: dict[str, str | None] = {}

    async def reconcile(self, request: Request) -> Result:
        """One step. Conflicts are retried by the queue with backoff."""
        claim = self._cluster.claim_table.get(request.key)
        if claim is None:
            self._superseded.pop(request.key, None)
            return await self._admit(request)
        if self._superseded.get(request.key) == claim.metadata.resource_version:
            return Result()  # we wrote a newer version; its event is on the way
        pod = self._pod_of(claim)
        if pod is None:
            return await self._end(request.key, claim)
        if pod.terminal:
            return await self._release(request.key, claim)
        match claim.status.phase:
            case ClaimPhase.PENDING:
                return await self._place(request.key, claim, pod)
            case ClaimPhase.BOUND:
                return await self._bind(claim, pod)
            case _:
                return await self._confirm(claim, pod)

    def _pod_of(self, claim: GPUPartitionClaim) -> PodView | None:
        """The claim's pod, by uid: a successor of the same name is another pod."""
        pod_ref = claim.spec.pod_ref
        if pod_ref is None:
            return None
        view = self._cluster.pod_table.view(f"{claim.metadata.namespace}/{pod_ref.name}")
        return view if view is not None and view.uid == pod_ref.uid else None

    def _raw_pod(self, pod: PodView) -> dict[str, Any] | None:
        return self._cluster.pods.store.get(f"{pod.namespace}/{pod.name}")

    # Admission: a gated pod without a claim.

    async def _admit(self, request: Request) -> Result:
        self._context.cycle.withdraw(request.key)
        pod = self._first_gated(request.key)
        if pod is None:
            return Result()
        service = self._cluster.service_table.get(f"{pod.namespace}/{pod.labels.get(SERVICE_LABEL, '')}")
        need = need_of(pod, self._context.sizing)
        claim = claim_for(pod, request.name, need, service)
        try:
            created = await self._context.client.create(GPU_PARTITION_CLAIMS, dump(claim))
        except AlreadyExists:
            return Result()
        self._context.count("admit", "unsized" if isinstance(need, Unsized) else "success")
        fresh = GPUPartitionClaim.model_validate(created)
        if isinstance(need, Unsized):
            await self._explain(fresh, pod, need.reason, need.message)
            return Result()
        return await self._place(request.key, fresh, pod)

    def _first_gated(self, key: str) -> PodView | None:
        """The pod that the claim is for: of several that name it, the oldest gated one."""
        pods = [
            view
            for pod in self._cluster.pods.store.by_index("claim", key)
            if (view := self._cluster.pod_table.view(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"))
            is not None
            and view.gated
            and not view.terminal
            and not view.deleting
        ]
        return min(pods, key=lambda view: (view.created_seconds, view.name), default=None)

    # Pending: wait for the cycle's decision.

    async def _place(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Result:
        cycle = self._context.cycle
        if pod.deleting:
            cycle.withdraw(key)
            return Result()
        if not pod.gated:
            cycle.withdraw(key)
            message = f"pod {pod.name} lost its gate before a partition was bound; delete the pod"
            await self._explain(claim, pod, "GateRemoved", message)
            return Result()
        if claim.spec.requirement.memory is None:
            return await self._unsized(claim, pod)
        if pod.foreign_gates:
            cycle.withdraw(key)
            await self._explain(claim, pod, "WaitingForGate", _gates_text(pod))
            return Result()
        present = self._cluster.resource_claim_table.get(key)
        if present is not None and present.owner_uid != pod.uid:
            cycle.withdraw(key)
            return await self._name_taken(claim, pod)
        refused_for = self._since_refusal(claim)
        if refused_for < REFUSED_PAUSE_SECONDS:
            return Result(requeue_after=REFUSED_PAUSE_SECONDS - refused_for)
        return await self._decide(key, claim, pod)

    async def _decide(self, key: str, claim: GPUPartitionClaim, pod: PodView) -> Result:
        cycle = self._context.cycle
        outcome = cycle.take(key)
        if outcome is None:
            raw = self._raw_pod(pod)
            if raw is not None and self._cluster.assumptions.get(key) is None:
                cycle.submit(self._demand(key, claim, pod, raw))
            return Result()
        if isinstance(outcome.decision, Placed):
            return await self._choose(key, claim, pod, outcome, outcome.decision)
        await self._wait(key, claim, pod, outcome)
        return Result()

    def _since_refusal(self, claim: GPUPartitionClaim) -> float:
        """Seconds since the API server refused the pin: trying again at once would only be refused again."""
        condition = find_condition(claim.status.conditions, "Bound")
        if condition is None or condition.reason != "PinRefused":
            return REFUSED_PAUSE_SECONDS
        return (self._context.clock.now() - condition.last_transition_time).total_seconds()

    async def _unsized(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        """A claim that could not be sized says why again, should its status have been lost."""
        need = need_of(pod, self._context.sizing)
        if isinstance(need, Unsized):
            await self._explain(claim, pod, need.reason, need.message)
            return Result()
        # The model is known by now: a claim's spec never changes, so it is made anew.
        await self._delete(claim)
        return Result()

    def _demand(self, key: str, claim: GPUPartitionClaim, pod: PodView, raw: dict[str, Any]) -> Demand:
        return Demand(
            key=key,
            uid=claim.metadata.uid,
            namespace=pod.namespace,
            requirement=_requirement(claim),
            pod=constraints(raw),
            priority=pod.priority,
            created_seconds=pod.created_seconds,
            policy=claim.spec.policy_ref,
            excluded_nodes=self._excluded(pod),
        )

    def _excluded(self, pod: PodView) -> frozenset[str]:
        if pod.owner is None:
            return frozenset()
        return self._exclusions.excluded(pod.owner[2], self._seen())

    def _seen(self) -> dict[str, Hashable]:
        """What would change when a node could be tried again: modes and who holds what."""
        return {
            node.name: tuple(
                (gpu.bdf, gpu.mode, tuple(partition.holder is None for partition in gpu.partitions))
                for gpu in node.gpus
            )
            for node in self._cluster.snapshot().nodes
        }

    async def _choose(
        self, key: str, claim: GPUPartitionClaim, pod: PodView, outcome: Outcome, placed: Placed
    ) -> Result:
        """Write the decision first: from here on it survives us.

        Until it is known whether the write happened the partition stays assumed, else another claim could get it.
        """
        chosen = status.bound(claim, placed, self._context.clock.now())
        try:
            written = await self._write(chosen)
        except (Timeout, Unavailable, TooManyRequests):
            self._context.cycle.restore(key, outcome)
            self._context.count("place", "error")
            raise
        except ApiError:
            self._context.count("place", "error")
            await self._doubt(key, claim)
            raise
        self._context.count("place", "success")
        return await self._bind(written, pod)

    async def _doubt(self, key: str, claim: GPUPartitionClaim) -> None:
        """The decision was refused; take it back unless the stored claim shows that an earlier try had landed."""
        try:
            live = await self._context.client.get(GPU_PARTITION_CLAIMS, claim.metadata.name, claim.metadata.namespace)
        except NotFound:
            self._context.cycle.withdraw(key)
            return
        if GPUPartitionClaim.model_validate(live).status.allocation is None:
            self._cluster.assumptions.forget(key)

    async def _wait(self, key: str, claim: GPUPartitionClaim, pod: PodView, outcome: Outcome) -> None:
        decision = outcome.decision
        if isinstance(decision, Placed):
            raise TypeError(f"claim {key} was placed on {decision.node.name}; it has nothing to wait for")
        message = decision.message
        if outcome.plan is not None:
            try:
                await self._context.client.create(REPARTITION_PLANS, dump(outcome.plan))
            except AlreadyExists:
                pass
            except ApiError:
                self._cluster.plan_table.forget(outcome.plan.metadata.name)
                raise
            self._context.count("repartition", "planned")
            note = events.plan_made(outcome.plan.metadata.name, outcome.plan.spec.node)
            events.tell(self._context.recorder, [pod.reference, reference(outcome.plan)], note)
        elif outcome.no_plan is not None and decision.reason in HELPED_BY_A_CHANGE:
            message += f". No mode change: {outcome.no_plan.message}"
        plan = self._cluster.plan_table.for_claim(claim.metadata.uid)
        if plan is not None:
            message += f". RepartitionPlan {plan.metadata.name} ({plan.status.phase}) makes room on {plan.spec.node}"
        self._context.count("place", "unplaced")
        await self._explain(claim, pod, decision.reason, message)

    async def _explain(self, claim: GPUPartitionClaim, pod: PodView, reason: str, message: str) -> None:
        waiting = status.waiting(claim, reason, message, self._context.clock.now())
        if waiting.status != claim.status:
            await self._write(waiting)
        owner = await self._owners.of(pod)
        regarding = [pod.reference] if owner is None else [pod.reference, owner]
        events.tell(self._context.recorder, regarding, events.waiting(reason, message))

    # Bound: the ResourceClaim, the gate, the scheduler's word.

    async def _bind(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        key = f"{claim.metadata.namespace}/{claim.metadata.name}"
        present = self._cluster.resource_claim_table.get(key)
        match await ensure_resource_claim(self._context, claim, pod, present):
            case Ensured.TAKEN:
                return await self._name_taken(claim, pod)
            case Ensured.REPLACING:
                return Result(requeue_after=SOON_SECONDS)
        if pod.gated:
            return await self._open(claim, pod)
        return await self._confirm(claim, pod)

    async def _open(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        pin = pin_of(claim)
        host = self._cluster.host_table.get(pin.node)
        if host is None or host.hostname is None:
            return await self._give_up(claim, pod, "NodeGone", f"node {pin.node} is gone or has no hostname label")
        match await open_gate(self._context, claim, pod, host.hostname):
            case Opened.OPEN:
                self._context.count("bind", "success")
                device = status.device_text(claim)
                events.tell(self._context.recorder, [pod.reference], events.bound(device))
                return Result(requeue_after=_patience(claim, self._context))
            case Opened.REFUSED:
                self._context.count("bind", "refused")
                message = f"the API server refuses to pin pod {pod.name} to node {pin.node}; see the operator's log"
                return await self._give_up(claim, pod, "PinRefused", message)
            case Opened.MOVED_ON:
                return Result(requeue_after=SOON_SECONDS)
            case Opened.WAITING_FOR_GATE:
                return await self._give_up(claim, pod, "WaitingForGate", _gates_text(pod))
            case _:
                return Result()

    async def _give_up(self, claim: GPUPartitionClaim, pod: PodView, reason: str, message: str) -> Result:
        """Take the decision back while the pod is still gated; its ResourceClaim is replaced when it is bound anew."""
        await self._explain(claim, pod, reason, message)
        return Result()

    async def _name_taken(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        message = (
            f"ResourceClaim {claim.metadata.name} exists and is not the one made for pod {pod.name}; "
            "delete it and the pod, the pod's successor gets another name"
        )
        self._context.count("bind", "name_taken")
        await self._explain(claim, pod, "ClaimNameTaken", message)
        return Result()

    # Confirmation by the real scheduler.

    async def _confirm(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        key = f"{claim.metadata.namespace}/{claim.metadata.name}"
        present = self._cluster.resource_claim_table.get(key)
        if present is None:
            return Result(requeue_after=_patience(claim, self._context))
        if not present.allocated:
            return await self._repair(claim, pod) if claim.status.phase is ClaimPhase.BOUND else Result()
        pin = pin_of(claim)
        if not any(held.pool == pin.pool and held.device == pin.device for held in present.devices):
            got = ", ".join(f"{held.pool}/{held.device}" for held in present.devices)
            message = f"the scheduler allocated {got}, bound was {pin.pool}/{pin.device}; delete the pod"
            self._context.count("confirm", "mismatch")
            return await self._trouble(claim, pod, "Allocated", "DeviceMismatch", message)
        if claim.status.phase is ClaimPhase.ALLOCATED:
            return Result()
        self._context.count("confirm", "success")
        await self._write(status.allocated(status.without_trouble(claim), self._context.clock.now()))
        return Result()

    async def _trouble(self, claim: GPUPartitionClaim, pod: PodView, type_: str, reason: str, message: str) -> Result:
        troubled = status.troubled(claim, type_, reason, message, self._context.clock.now())
        if troubled.status != claim.status:
            await self._write(troubled)
            events.tell(self._context.recorder, [pod.reference], events.waiting(reason, message))
        return Result()

    async def _repair(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        pin = pin_of(claim)
        key = f"{claim.metadata.namespace}/{claim.metadata.name}"
        taken = taken_by_other(list(self._cluster.resource_claim_table.values()), key, pin.pool, pin.device)
        verdict = judge(
            self._cluster.snapshot(),
            claim,
            pinned_demand(key, claim.metadata.uid, pod.namespace, _requirement(claim)),
            taken=taken,
            refused=unschedulable(self._raw_pod(pod) or {}),
            owned=pod.owner is not None,
            age=_age(claim, self._context),
        )
        match verdict:
            case Wait(seconds):
                return Result(requeue_after=seconds)
            case Repin(placed):
                return await self._repin(claim, pod, placed)
            case Replace():
                return await self._replace(claim, pod)
            case Stuck():
                message = (
                    f"node {pin.node} has no partition left for pod {pod.name}, and no controller would make it anew; "
                    "delete the pod and create it again"
                )
                await self._trouble(claim, pod, "Stuck", "DeviceTaken", message)
                return Result(requeue_after=_age(claim, self._context))

    async def _repin(self, claim: GPUPartitionClaim, pod: PodView, placed: Placed) -> Result:
        moved = status.bound(status.without_trouble(claim), placed, self._context.clock.now(), rebind=True)
        written = await self._write(moved)
        self._context.count("rebind", "success")
        events.tell(self._context.recorder, [pod.reference], events.rebound(status.device_text(written)))
        return await self._bind(written, pod)

    async def _replace(self, claim: GPUPartitionClaim, pod: PodView) -> Result:
        pin = pin_of(claim)
        if pod.owner is not None:
            self._exclusions.exclude(pod.owner[2], pin.node, self._seen().get(pin.node))
        events.tell(self._context.recorder, [pod.reference], events.replaced(pin.node))
        self._context.count("replace", "success")
        try:
            await self._context.client.delete(PODS, pod.name, pod.namespace, uid=pod.uid)
        except (NotFound, Conflict):
            return Result()
        return Result()

    # Release.

    async def _end(self, key: str, claim: GPUPartitionClaim) -> Result:
        """The pod is gone: so is its claim. The garbage collector would do it too; we need not wait for it.

        Our view of pods may be older than that of claims, so the API server is asked before anything is deleted.
        """
        if await self._pod_lives(claim):
            return Result(requeue_after=SOON_SECONDS)
        self._context.cycle.withdraw(key)
        self._context.count("release", "success")
        await self._delete(claim)
        return Result()

    async def _pod_lives(self, claim: GPUPartitionClaim) -> bool:
        pod_ref = claim.spec.pod_ref
        if pod_ref is None:
            return True  # a share group's claim has no pod of its own
        try:
            live = await self._context.client.get(PODS, pod_ref.name, claim.metadata.namespace)
        except NotFound:
            return False
        return bool(live["metadata"]["uid"] == pod_ref.uid)

    async def _release(self, key: str, claim: GPUPartitionClaim) -> Result:
        self._context.cycle.withdraw(key)
        if claim.status.phase is not ClaimPhase.RELEASED:
            self._context.count("release", "success")
            await self._write(status.released(claim, self._context.clock.now()))
        return Result()

    async def _delete(self, claim: GPUPartitionClaim) -> None:
        try:
            await self._context.client.delete(
                GPU_PARTITION_CLAIMS, claim.metadata.name, claim.metadata.namespace, uid=claim.metadata.uid
            )
        except (NotFound, Conflict):
            return

    async def _write(self, claim: GPUPartitionClaim) -> GPUPartitionClaim:
        written = await self._context.client.replace(GPU_PARTITION_CLAIMS, dump(claim), subresource="status")
        fresh = GPUPartitionClaim.model_validate(written)
        if fresh.metadata.resource_version != claim.metadata.resource_version:
            self._superseded[f"{claim.metadata.namespace}/{claim.metadata.name}"] = claim.metadata.resource_version
        return fresh


def _requirement(claim: GPUPartitionClaim) -> Requirement:
    wanted = claim.spec.requirement
    if wanted.memory is None:
        raise ValueError(f"claim {claim.metadata.namespace}/{claim.metadata.name} carries no memory to place")
    return Requirement(parse_quantity(wanted.memory), wanted.count, frozenset(map(Mode.parse, wanted.modes)))


def _gates_text(pod: PodView) -> str:
    return f"waits for gates of others: {', '.join(pod.foreign_gates)}"


def _age(claim: GPUPartitionClaim, context: ClaimContext) -> float:
    bound_time = claim.status.bound_time
    return 0.0 if bound_time is None else (context.clock.now() - bound_time).total_seconds()


def _patience(claim: GPUPartitionClaim, context: ClaimContext) -> float:
    return max(SOON_SECONDS, PATIENCE_SECONDS - _age(claim, context))
