"""A plan on paper for people, a table with remarks, and for programs. Pure."""

from collections import Counter
from typing import Any

from rich.table import Table
from rich.text import Text

from api.group import MODEL_ID
from controller.cli.offline_nodes import OfflineNode
from controller.cli.offline_plan import OfflinePlan, ServicePlan
from controller.cli.output import mebibytes
from controller.cli.trial import Expected, Leaving
from controller.placement.decision import Placed, Unplaced
from controller.placement.explanation import offer_document, sentence
from controller.reconcilers.gpu_partition_claim.admit import Need
from controller.reconcilers.gpu_partition_claim.placing import HELPED_BY_A_CHANGE
from controller.repartition.planner import Proposal

#: That nobody could leave goes without saying where nobody has a lower priority.
_NOT_WORTH_SAYING = frozenset({"NobodyToPreempt", "ShareGroup"})


def summary(plan: OfflinePlan) -> str:
    """The plan in one line."""
    return (
        f"{counted(len(plan.services), 'service')}: {counted(plan.placed, 'pod')} with a partition, "
        f"{plan.pending} waiting, {counted(len(plan.changes), 'mode change')}"
    )


def counted(count: int, noun: str) -> str:
    """A number of things in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def table(plan: OfflinePlan) -> Table:
    """The plan for people: a row for each service and place, equal replicas together; below it a line a reason."""
    shown = Table(caption=Text("\n".join(remarks(plan))), caption_justify="left", caption_style="")
    for heading in ("SERVICE", "MODEL", "PRECISION", "NEED", "PODS", "WHERE", "MODE"):
        shown.add_column(heading, overflow="fold")
    for service in plan.services:
        counted = Counter(_outcome(expected) for expected in service.replicas)
        for (where, mode), pods in counted.items():
            shown.add_row(service.workload.key, *_need_cells(service), str(pods), where, mode)
    return shown


def remarks(plan: OfflinePlan) -> list[str]:
    """A line for each mode change, for each service and reason to wait, in words for the first of its pods, for what
    would help it, and for each pod that leaves.
    """
    own = [line for service in plan.services for line in (*_changes(service), *_reasons(service), *_nearest(service))]
    return [*own, *map(leaving_text, plan.leaving)]


def leaving_text(leaving: Leaving) -> str:
    """Who leaves for whom, with both priorities: where the higher one leaves, it gives back what it had borrowed."""
    occupant, whom = leaving.occupant, leaving.whom
    priorities = f"priority {occupant.priority}, that one {whom.priority}"
    return f"pod {occupant.namespace}/{occupant.pod} leaves for {whom.key} ({priorities})"


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


def why_not(expected: Expected) -> tuple[str, str]:
    """Reason and sentence of a replica without a place, with what a mode change could do; empty when it has one."""
    if not isinstance(expected.decision, Unplaced):
        return "", ""
    message = expected.decision.message
    if expected.change is not None:
        message += f"; policy {expected.change.policy} asks for an approval of {change_text(expected.change)}"
    elif expected.no_change is not None and expected.decision.reason in HELPED_BY_A_CHANGE:
        message += f"; no mode change: {expected.no_change.message}"
    if expected.no_victims is not None and expected.no_victims.reason not in _NOT_WORTH_SAYING:
        message += f"; nobody leaves for it: {expected.no_victims.message}"
    return expected.decision.reason, message


def change_text(change: Proposal) -> str:
    """A mode change in words: GPUs that change alike together, that of the claim it is made for first."""
    after = dict(change.after)
    alike: dict[tuple[str, str], list[str]] = {}
    for bdf, before in sorted(change.before, key=lambda pair: pair[0] != change.target):
        alike.setdefault((str(before), str(after[bdf])), []).append(bdf)
    parts = [f"{bdfs[0]} changes {before} -> {mode}{_also(len(bdfs) - 1)}" for (before, mode), bdfs in alike.items()]
    return f"{change.node} {', '.join(parts)}"


def _also(others: int) -> str:
    return f" (with {counted(others, 'more GPU')} of the node)" if others else ""


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


def replica_document(expected: Expected) -> dict[str, Any]:
    """What is expected of one pod, for programs."""
    change = change_document(expected.change) if expected.change else None
    placed = expected.placed
    if placed is None:
        reason, message = why_not(expected)
        return {"placed": False, "reason": reason, "message": message, "change": change}
    return {
        "placed": True,
        "node": placed.node.name,
        "bdf": placed.gpu.bdf,
        "partition": placed.partition.id.index,
        "mode": str(placed.mode),
        "bytes": placed.partition.bytes,
        "partitions": partition_documents(placed),
        "change": change,
    }


def partition_documents(placed: Placed) -> list[dict[str, Any]]:
    """Every partition of a place, for programs."""
    return [
        {"bdf": device.gpu.bdf, "partition": device.partition.id.index, "bytes": device.partition.bytes}
        for device in placed.devices
    ]


def leaving_document(leaving: Leaving) -> dict[str, Any]:
    """A pod that leaves for another, for programs."""
    occupant = leaving.occupant
    return {
        "pod": f"{occupant.namespace}/{occupant.pod}",
        "priority": occupant.priority,
        "for": leaving.whom.key,
        "forPriority": leaving.whom.priority,
    }


def change_document(change: Proposal) -> dict[str, Any]:
    """A mode change for programs."""
    return {
        "node": change.node,
        "policy": change.policy,
        "approval": "Auto" if change.automatic else "Manual",
        "gpus": [
            {"bdf": bdf, "from": str(before), "to": str(dict(change.after)[bdf])} for bdf, before in change.before
        ],
    }
