"""The plan reconciler: observe, step through the transition table, record, then act on what is recorded."""

from datetime import datetime
from typing import Any

from opentelemetry.metrics import Counter

from api.condition import set_condition
from api.object import dump
from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_layout import summarise_modes
from api.v1beta1.gpu_node import NodeOperation
from api.v1beta1.repartition_plan import PlanPhase, PlanStep, PlanSummary, RepartitionPlanStatus
from controller.reconcilers.repartition_plan.observe import Seen, holders_of, observe, operation_id
from controller.repartition.phases import DEADLINE_SECONDS, TERMINAL, Event, Phase, step
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict, NotFound
from controller.runtime.clock import Clock
from controller.runtime.event_recorder import EventKind, EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.state.cluster import Cluster
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS

#: A plan that waits is looked at again after this many seconds, besides every event.
LOOK_AGAIN_SECONDS = 2.0
SOON_SECONDS = 0.2
MESSAGE_LIMIT = 1024


class RepartitionPlanReconciler:
    """Takes one plan one phase further at each call."""

    def __init__(
        self, client: Client, cluster: Cluster, recorder: EventRecorder, clock: Clock, operations: Counter
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._recorder = recorder
        self._clock = clock
        self._operations = operations
        self._begun: dict[str, str] = {}

    async def reconcile(self, request: Request) -> Result:
        """Act on the recorded phase, observe, record the next. A plan that moved on under us is looked at again."""
        try:
            return await self._step(request)
        except Conflict:
            return Result(requeue_after=SOON_SECONDS)

    async def _step(self, request: Request) -> Result:
        plan = self._cluster.plan_table.get(request.name)
        if plan is None or not plan.metadata.uid or plan.metadata.deletion_timestamp is not None:
            return Result()
        phase = Phase(plan.status.phase)
        if phase in TERMINAL:
            await self._clear_operation(plan)
            return Result()
        if plan.spec.dry_run:
            return await self._dry_run(plan)
        if phase in (Phase.APPLYING, Phase.ROLLING_BACK):
            await self._order(plan, rollback=phase is Phase.ROLLING_BACK)
        seen = observe(self._cluster, plan)
        event = seen.event or self._expired(plan, phase)
        if event is None:
            await self._note(plan, seen)
            return Result(requeue_after=LOOK_AGAIN_SECONDS)
        if self._paused(plan) and phase in (Phase.PENDING, Phase.AWAITING_APPROVAL, Phase.DRAINING):
            await self._note(plan, Seen(None, f"node {plan.spec.node} or its policy is paused"))
            return Result(requeue_after=LOOK_AGAIN_SECONDS)
        if step(phase, event) is Phase.DRAINING:
            before = self._before(plan)
            if before is not None:
                await self._note(plan, Seen(None, before))
                return Result(requeue_after=LOOK_AGAIN_SECONDS)
        moved = await self._move(plan, step(phase, event), seen.message)
        if moved is not None and Phase(moved.status.phase) in (Phase.APPLYING, Phase.ROLLING_BACK):
            await self._order(moved, rollback=Phase(moved.status.phase) is Phase.ROLLING_BACK)
        return Result(requeue_after=LOOK_AGAIN_SECONDS)

    def _before(self, plan: RepartitionPlan) -> str | None:
        """What must end before the plan may begin, as a sentence; begins it otherwise.

        One plan a node, and no more nodes at once than the policy says. Plans begin one after the other, and those
        that began count at once: the informer shows them later.
        """
        changing = self._changing()
        node, name = plan.spec.node, plan.metadata.name
        if changing.get(node, name) != name:
            return f"waits until plan {changing[node]} of the same node has ended"
        policy = self._cluster.policy_table.get(plan.spec.policy_ref or "")
        others = len(changing.keys() - {node})
        if policy is not None and others >= policy.spec.repartition.max_parallel_nodes:
            limit = policy.spec.repartition.max_parallel_nodes
            return f"waits: {others} nodes are changing, repartition.maxParallelNodes is {limit}"
        self._begun[node] = name
        return None

    def _changing(self) -> dict[str, str]:
        """Nodes with a plan that has begun and not ended, and its name: as the informer shows and as we know."""
        seen = {
            plan.spec.node: plan.metadata.name
            for plan in self._cluster.plan_table.values()
            if Phase(plan.status.phase) not in (*TERMINAL, Phase.PENDING, Phase.AWAITING_APPROVAL)
        }
        self._begun = {node: name for node, name in self._begun.items() if not self._over(name)}
        return {**seen, **self._begun}

    def _over(self, name: str) -> bool:
        other = self._cluster.plan_table.get(name)
        return other is None or Phase(other.status.phase) in TERMINAL

    def _paused(self, plan: RepartitionPlan) -> bool:
        node = self._cluster.snapshot().node(plan.spec.node)
        return node is not None and (node.paused or (node.policy is not None and node.policy.paused))

    def _expired(self, plan: RepartitionPlan, phase: Phase) -> Event | None:
        limit = DEADLINE_SECONDS[phase]
        started = next((s.start_time for s in reversed(plan.status.steps) if s.name == phase.value), None)
        if limit is None or started is None:
            return None
        return Event.EXPIRED if (self._clock.now() - started).total_seconds() > limit else None

    async def _order(self, plan: RepartitionPlan, *, rollback: bool) -> None:
        """Write the operation into GPUNode.spec, once; the agent does each id once."""
        wanted = operation_id(plan, rollback=rollback)
        node = self._cluster.gpu_node_table.get(plan.spec.node)
        if node is not None and node.spec.operation is not None and node.spec.operation.id == wanted:
            return
        before, after = (plan.spec.to, plan.spec.from_) if rollback else (plan.spec.from_, plan.spec.to)
        operation = NodeOperation(id=wanted, from_=before, to=after)
        try:
            await self._client.merge_patch(GPU_NODES, plan.spec.node, {"spec": {"operation": dump(operation)}})
        except NotFound:
            return  # the observation that follows says so

    async def _clear_operation(self, plan: RepartitionPlan) -> None:
        node = self._cluster.gpu_node_table.get(plan.spec.node)
        operation = node.spec.operation if node is not None else None
        ours = {operation_id(plan, rollback=rollback) for rollback in (False, True)}
        if operation is not None and operation.id in ours:
            await self._client.merge_patch(GPU_NODES, plan.spec.node, {"spec": {"operation": None}})

    async def _dry_run(self, plan: RepartitionPlan) -> Result:
        holders = holders_of(self._cluster, plan)
        busy = f"{', '.join(holders)} are in use" if holders else "every GPU of the plan is idle"
        await self._note(plan, Seen(None, f"dry run, nothing is changed: {busy}"))
        return Result()

    async def _note(self, plan: RepartitionPlan, seen: Seen) -> None:
        if plan.status.message == seen.message:
            return
        await self._write(plan, plan.status.model_copy(update={"message": seen.message[:4096]}))

    async def _move(self, plan: RepartitionPlan, phase: Phase, message: str) -> RepartitionPlan | None:
        now = self._clock.now()
        steps = [*_ended(plan.status.steps, message, now)]
        if phase not in TERMINAL:
            steps.append(PlanStep(name=phase.value, start_time=now))
        status = plan.status.model_copy(
            update={
                "phase": PlanPhase(phase.value),
                "steps": steps[-64:],
                "operation_id": operation_id(plan, rollback=phase is Phase.ROLLING_BACK),
                "message": message[:4096],
                "conditions": set_condition(
                    plan.status.conditions,
                    "Succeeded",
                    phase is Phase.SUCCEEDED,
                    phase.value,
                    message[:MESSAGE_LIMIT],
                    plan.metadata.generation,
                    now,
                ),
            }
        )
        written = await self._write(plan, status)
        kind: EventKind = "Warning" if phase in (Phase.FAILED, Phase.ROLLED_BACK, Phase.ROLLING_BACK) else "Normal"
        reference = {"apiVersion": plan.api_version, "kind": plan.kind, "metadata": _identity(plan)}
        self._recorder.record(reference, kind, phase.value, message, "Repartition")
        if phase in TERMINAL:
            self._operations.add(1, {"operation": "repartition", "result": phase.value})
        return written

    async def _write(self, plan: RepartitionPlan, status: RepartitionPlanStatus) -> RepartitionPlan:
        summary = PlanSummary(
            from_=summarise_modes(gpu.mode for gpu in plan.spec.from_.gpus),
            to=summarise_modes(gpu.mode for gpu in plan.spec.to.gpus),
        )
        stamped = status.model_copy(update={"summary": summary, "observed_generation": plan.metadata.generation})
        body = dump(plan.model_copy(update={"status": stamped}))
        return RepartitionPlan.model_validate(await self._client.replace(REPARTITION_PLANS, body, subresource="status"))


def _ended(steps: list[PlanStep], message: str, now: datetime) -> list[PlanStep]:
    """The steps with the running one ended."""
    if not steps or steps[-1].end_time is not None:
        return steps
    last = steps[-1].model_copy(update={"end_time": now, "result": "Done", "message": message[:1024]})
    return [*steps[:-1], last]


def _identity(plan: RepartitionPlan) -> dict[str, Any]:
    return {"name": plan.metadata.name, "uid": plan.metadata.uid}
