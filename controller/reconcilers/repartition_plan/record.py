"""The status as the plan's record: each step stands there before it acts, with start, end and result."""

from collections.abc import Sequence
from datetime import datetime

from api.condition import set_condition
from api.object import Condition, dump
from api.v1beta1 import RepartitionPlan
from api.v1beta1.gpu_layout import summarise_modes
from api.v1beta1.repartition_plan import PlanPhase, PlanStep, PlanSummary, RepartitionPlanStatus
from controller.reconcilers.repartition_plan.closing import closing_step
from controller.reconcilers.repartition_plan.context import PlanContext
from controller.reconcilers.repartition_plan.operation import next_operation_id
from controller.reconcilers.repartition_plan.remedy import degraded
from controller.reconcilers.repartition_plan.reservations import as_they_left
from controller.reconcilers.repartition_plan.seen import Seen
from controller.repartition.phases import HARDWARE, NOT_BEGUN, TERMINAL, Event, Phase, step
from controller.runtime.event_recorder import EventKind, EventRecorder
from controller.state.kinds import REPARTITION_PLANS

MESSAGE_LIMIT, CONDITION_LIMIT = 4096, 1024
#: Most steps the status may hold, and how many of the first are never left out: they say when things began.
MOST_STEPS, FIRST_STEPS = 64, 8
_WARNINGS = frozenset({Phase.FAILED, Phase.ROLLED_BACK, Phase.ROLLING_BACK})


class Record:
    """Writes plans' statuses, each over the version that was read."""

    def __init__(self, context: PlanContext, recorder: EventRecorder) -> None:
        self._context = context
        self._recorder = recorder

    async def note(self, plan: RepartitionPlan, seen: Seen) -> RepartitionPlan:
        """Record message and changes when they differ; the plan as it is then."""
        update = {"message": seen.message[:MESSAGE_LIMIT], **seen.changes}
        if all(getattr(plan.status, name) == value for name, value in update.items()):
            return plan
        return await self._write(plan, plan.status.model_copy(update=update))

    async def move(self, plan: RepartitionPlan, event: Event, seen: Seen) -> RepartitionPlan:
        """Record the phase that follows an event: the running step ends, the next one begins."""
        before, now = Phase(plan.status.phase), self._context.clock.now()
        phase = step(before, event)
        message = with_cause(plan.status.steps, phase, seen.message)
        places = as_they_left(self._context.cluster, plan, now)
        if phase in TERMINAL:  # nothing is kept for pods that were not evicted
            places = [kept for kept in places if kept.evicted_time is not None]
        status = plan.status.model_copy(
            update={
                "operation_id": next_operation_id(plan, phase),
                "steps": _trimmed([*_ended(plan.status.steps, event, seen.message, now), *_begun(before, phase, now)]),
                "phase": PlanPhase(phase.value),
                "message": message[:MESSAGE_LIMIT],
                "conditions": self._conditions(plan, phase, message, seen.reason),
                "reservations": places,
                **seen.changes,
            }
        )
        written = await self._write(plan, status)
        self._tell(written, phase, message)
        return written

    def _conditions(self, plan: RepartitionPlan, phase: Phase, message: str, reason: str) -> list[Condition]:
        now, generation = self._context.clock.now(), plan.metadata.generation
        done = phase is Phase.SUCCEEDED
        short = message[:CONDITION_LIMIT]
        why = reason or phase.value
        found = set_condition(plan.status.conditions, "Succeeded", done, why, short, generation, now)
        if phase is not Phase.FAILED or Phase(plan.status.phase) not in HARDWARE:
            return found
        node = self._context.cluster.gpu_node_table.get(plan.spec.node)
        reason, remedy = degraded(node, plan)
        text = f"{short}. {remedy}"[:MESSAGE_LIMIT]
        return set_condition(found, "Degraded", True, reason, text, generation, now)

    def _tell(self, plan: RepartitionPlan, phase: Phase, message: str) -> None:
        kind: EventKind = "Warning" if phase in _WARNINGS else "Normal"
        identity = {"name": plan.metadata.name, "uid": plan.metadata.uid}
        reference = {"apiVersion": plan.api_version, "kind": plan.kind, "metadata": identity}
        self._recorder.record(reference, kind, phase.value, message, "Repartition")
        if phase in TERMINAL:
            self._context.counts.operation("repartition", phase.value)

    async def _write(self, plan: RepartitionPlan, status: RepartitionPlanStatus) -> RepartitionPlan:
        summary = PlanSummary(
            from_=summarise_modes(gpu.mode for gpu in plan.spec.from_.gpus),
            to=summarise_modes(gpu.mode for gpu in plan.spec.to.gpus),
        )
        stamped = status.model_copy(update={"summary": summary, "observed_generation": plan.metadata.generation})
        body = dump(plan.model_copy(update={"status": stamped}))
        written = RepartitionPlan.model_validate(
            await self._context.client.replace(REPARTITION_PLANS, body, subresource="status")
        )
        self._context.plans.wrote(plan, written)
        return written


def with_cause(steps: Sequence[PlanStep], phase: Phase, message: str) -> str:
    """The message of a plan that comes to `phase`: an end after a way back begins with what made it go back."""
    back = next((number for number, each in enumerate(steps) if each.name == Phase.ROLLING_BACK), 0)
    if phase not in TERMINAL or not back:
        return message
    cause = steps[back - 1]
    return f"{cause.name} ended with {cause.result}: {cause.message}. On the way back: {message}"


def _ended(steps: list[PlanStep], event: Event, message: str, now: datetime) -> list[PlanStep]:
    """The steps with the running one ended; the event is its result."""
    if not steps or steps[-1].end_time is not None:
        return steps
    last = steps[-1].model_copy(update={"end_time": now, "result": event.value, "message": message[:CONDITION_LIMIT]})
    return [*steps[:-1], last]


def _begun(before: Phase, phase: Phase, now: datetime) -> list[PlanStep]:
    """The step of the new phase. A plan that ends before it began has nothing to tidy up."""
    if phase in TERMINAL:
        return [] if before in NOT_BEGUN else [closing_step(now)]
    return [PlanStep(name=phase.value, start_time=now)]


def _trimmed(steps: list[PlanStep]) -> list[PlanStep]:
    if len(steps) <= MOST_STEPS:
        return steps
    return [*steps[:FIRST_STEPS], *steps[FIRST_STEPS - MOST_STEPS :]]
