"""One InferenceService as the map shows it: how much of it serves, and how well it keeps its objectives. Pure."""

from typing import Any

from api.v1beta1 import InferenceService
from api.v1beta1.service_level import ObjectiveStatus
from controller.reconcilers.inference_service.status import SLO_MET

Row = dict[str, Any]

KEPT, BURNING, MISSED, UNKNOWN, NONE = "kept", "burning", "missed", "unknown", "none"


def service_row(service: InferenceService) -> Row:
    """The row."""
    status = service.status
    return {
        "namespace": service.metadata.namespace,
        "name": service.metadata.name,
        "model": service.spec.model.id,
        "precision": status.sizing.precision if status.sizing is not None else None,
        "replicas": service.spec.replicas,
        "ready": status.ready_replicas,
        "class": service.spec.qos.class_ or "standard",
        "state": state_of(service),
        "message": next((each.message for each in status.conditions if each.type == SLO_MET), ""),
        "objectives": [_objective(each) for each in status.slo],
    }


def state_of(service: InferenceService) -> str:
    """kept; burning (kept, and its budget will not last); missed; unknown (not judged yet); none (no objective)."""
    if not service.spec.qos.slo:
        return NONE
    met = next((each.status for each in service.status.conditions if each.type == SLO_MET), "Unknown")
    if met == "Unknown":
        return UNKNOWN
    if any(_over(each) for each in service.status.slo):
        return MISSED
    return KEPT if met == "True" else BURNING


def _over(objective: ObjectiveStatus) -> bool:
    """Whether the error budget of 30 days is used up."""
    return objective.budget_left is not None and float(objective.budget_left) <= 0


def _objective(each: ObjectiveStatus) -> Row:
    return {
        "metric": each.metric.value,
        "percentile": each.percentile.value,
        "threshold": each.threshold,
        "needed": each.needed,
        "attainment": each.attainment,
        "budgetLeft": each.budget_left,
        "burning": each.burning,
    }
