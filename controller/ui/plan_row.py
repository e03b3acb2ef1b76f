"""One RepartitionPlan as the map shows it: which GPUs change, in which step it is, who moves. Pure."""

from datetime import datetime
from typing import Any

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import PlanPhase, PlanStep
from controller.cli.plan_view import PodRow, view_of
from controller.repartition.phases import TERMINAL, Phase
from controller.state.plans import reloads, waits

Row = dict[str, Any]

RUNNING, WAITING, ENDED = "running", "waiting", "ended"


def plan_row(plan: RepartitionPlan) -> Row:
    """The row. `standing`: running, waiting (for a person, a window, a budget or the node's rest) or ended."""
    spec, status, view = plan.spec, plan.status, view_of(plan)
    return {
        "name": plan.metadata.name,
        "node": spec.node,
        "phase": status.phase.value,
        "standing": standing(plan),
        "awaitsApproval": status.phase is PlanPhase.AWAITING_APPROVAL,
        "dryRun": spec.dry_run,
        "reloadsDriver": reloads(plan),
        "gpus": [{"bdf": gpu.bdf, "from": gpu.before, "to": gpu.after} for gpu in view.gpus],
        "claim": f"{spec.claim_ref.namespace}/{spec.claim_ref.name}" if spec.claim_ref is not None else None,
        "reason": view.reason,
        "message": status.message,
        "gain": view.gain,
        "cost": view.cost,
        "moves": [_move(pod) for pod in view.pods],
        "steps": [_step(each) for each in status.steps],
    }


def standing(plan: RepartitionPlan) -> str:
    """running, waiting or ended; one that changes nothing but says what it would do is waiting until it has."""
    if Phase(plan.status.phase) in TERMINAL:
        return ENDED
    if plan.spec.dry_run or waits(plan.status.phase, plan.status.message):
        return WAITING
    return RUNNING


def ended_time(plan: RepartitionPlan) -> datetime | None:
    """When its last step ended; None for one that has not ended, or of which nobody knows."""
    if standing(plan) != ENDED:
        return None
    return max((step.end_time for step in plan.status.steps if step.end_time is not None), default=None)


def _move(pod: PodRow) -> Row:
    return {"pod": pod.name, "before": pod.before, "after": pod.after}


def _step(step: PlanStep) -> Row:
    return {
        "name": step.name,
        "start": _text(step.start_time),
        "end": _text(step.end_time),
        "result": step.result,
        "message": step.message,
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at is not None else None
