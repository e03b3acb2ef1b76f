"""A plan on paper for people, a table with remarks, and for programs. Pure."""

from collections import Counter
from typing import Any, Final

from api.group import MODEL_ID
from controller.cli.box_table import Row, box_table
from controller.cli.counted import counted
from controller.cli.expected_view import (
    change_document,
    change_text,
    leaving_document,
    leaving_text,
    replica_document,
    why_not,
)
from controller.cli.explain_view import wrapped
from controller.cli.offline_nodes import OfflineNode
from controller.cli.offline_plan import OfflinePlan, ServicePlan
from controller.cli.output import mebibytes
from controller.cli.trial import Expected
from controller.placement.explanation import offer_document, sentence
from controller.reconcilers.gpu_partition_claim.admit import Need

HEADINGS: Final = ("SERVICE", "MODEL", "PRECISION", "NEED", "PODS", "WHERE", "MODE")


def summary(plan: OfflinePlan) -> str:
    """The plan in one line."""
    return (
        f"{counted(len(plan.services), 'service')}: {counted(plan.placed, 'pod')} with a partition, "
        f"{plan.pending} waiting, {counted(len(plan.changes), 'mode change')}"
    )


def page(plan: OfflinePlan, width: int) -> str:
    """The plan for people, no wider than `width`: a table, and below it a line a reason."""
    below = (part for line in remarks(plan) for part in wrapped(line, width))
    return "\n".join([box_table(HEADINGS, rows(plan), width), *below])


def rows(plan: OfflinePlan) -> list[Row]:
    """A row for each service and place, equal replicas together."""
    return [
        (service.workload.key, *_need_cells(service), str(pods), where, mode)
        for service in plan.services
        for (where, mode), pods in Counter(_outcome(expected) for expected in service.replicas).items()
    ]


def remarks(plan: OfflinePlan) -> list[str]:
    """A line for each mode change, for each service and reason to wait, in words for the first of its pods, for what
    would help it, and for each pod that leaves.
    """
    own = [line for service in plan.services for line in (*_changes(service), *_reasons(service), *_nearest(service))]
    return [*own, *map(leaving_text, plan.leaving)]


def _changes(service: ServicePlan) -> list[str]:
    return [
        f"{service.workload.key} is placed once {change_text(expected.change)}"
        for expected in service.replicas
        if expected.placed is not None and expected.change is not None
    ]


def _reasons(service: ServicePlan) -> list[str]:
    messages: dict[str, list[str]] = {}
    for expected in service.replicas:
        if expected.placed is None:
            reason, message = why_not(expected)
            messages.setdefault(reason, []).append(message)
    return [
        f"{service.workload.key} waits ({counted(len(found), 'pod')}): {reason}: {found[0]}"
        for reason, found in messages.items()
    ]


def _nearest(service: ServicePlan) -> list[str]:
    return [f"    nearest change: {sentence(service.offers[0])}"] if service.offers else []


def _need_cells(service: ServicePlan) -> tuple[str, str, str]:
    if isinstance(service.need, Need):
        sizing = service.need.sizing
        return sizing.model_id, sizing.precision.value, mebibytes(sizing.total_bytes)
    return service.workload.pod.annotations.get(MODEL_ID, "-"), "-", "-"


def _outcome(expected: Expected) -> tuple[str, str]:
    placed = expected.placed
    return ("waits", "-") if placed is None else (placed.node.name, str(placed.mode))


def document(plan: OfflinePlan, nodes: tuple[OfflineNode, ...]) -> dict[str, Any]:
    """The answer as JSON has it: sizes in bytes, an entry a replica."""
    return {
        "nodes": [
            {"name": node.name, "product": node.product.name, "gpus": node.gpus, "mode": str(node.mode)}
            for node in nodes
        ],
        "services": [_service(service) for service in plan.services],
        "changes": [change_document(change) for change in plan.changes],
        "leaving": [leaving_document(leaving) for leaving in plan.leaving],
        "placed": plan.placed,
        "pending": plan.pending,
    }


def _service(service: ServicePlan) -> dict[str, Any]:
    workload, need = service.workload, service.need
    sizing = need.sizing if isinstance(need, Need) else None
    return {
        "kind": workload.kind,
        "namespace": workload.namespace,
        "name": workload.name,
        "model": workload.pod.annotations.get(MODEL_ID),
        "precision": sizing.precision.value if sizing else None,
        "need_bytes": sizing.total_bytes if sizing else None,
        "replicas": [replica_document(expected) for expected in service.replicas],
        "nearest": [offer_document(offer) for offer in service.offers],
    }
