"""A plan on paper for people, a table with remarks, and for programs. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from api.group import MODEL_ID
from controller.cli.box_table import TIED, Row, box_table
from controller.cli.counted import counted, each_of, named
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
from controller.placement.explanation import offer_document, place_text, sentence
from controller.reconcilers.gpu_partition_claim.admit import Need, count_of
from controller.translate.share_group import group_of

HEADINGS: Final = ("SERVICE", "MODEL", "PRECISION", "NEED", "PODS", "WHERE", "MODE")
WIDE: Final = (*HEADINGS, "PARTITIONS")


def summary(plan: OfflinePlan) -> str:
    """The plan in one line."""
    partitions, gpus = counted(len(plan.partitions), "partition"), counted(len(plan.gpus), "GPU")
    taken = f"{counted(plan.placed, 'pod')} on {partitions} of {gpus}" if plan.placed else "no pod with a partition"
    changes = counted(len(plan.changes), "mode change")
    return f"{counted(len(plan.services), 'service')}: {taken}, {plan.pending} waiting, {changes}"


def page(plan: OfflinePlan, width: int, *, wide: bool = False) -> str:
    """The plan for people, no wider than `width`: a table, and below it a line a reason. `wide`: with partitions."""
    below = (part for line in remarks(plan) for part in wrapped(line, width))
    return "\n".join([_table(rows(plan, wide=wide), WIDE if wide else HEADINGS, width), *below])


def rows(plan: OfflinePlan, *, wide: bool = False) -> list[Row]:
    """A row for each service and node, or where it is `wide` for each of its places, equal replicas together."""
    return [
        (service.workload.key, *_need_cells(service), str(pods), *where)
        for service in plan.services
        for where, pods in Counter(_outcome(expected, wide=wide) for expected in service.replicas).items()
    ]


def _table(body: list[Row], head: Row, width: int) -> str:
    """Where it is too wide the precision stands behind the model, which leaves names more room."""
    whole = box_table(head, body)
    if whole.index("\n") <= width:
        return whole
    joined = [
        (key, model if precision == "-" else f"{model} {precision}", *more) for key, model, precision, *more in body
    ]
    return box_table([*head[:2], *head[3:]], joined, width)


def remarks(plan: OfflinePlan) -> list[str]:
    """A line for each mode change, for each service and reason to wait, in words for the first of its pods, for what
    would help it, for each partition that several share, and for each pod that leaves.
    """
    own = [line for service in plan.services for line in (*_changes(service), *_reasons(service), *_nearest(service))]
    return [*own, *_shared(plan), *map(leaving_text, plan.leaving)]


def _shared(plan: OfflinePlan) -> Iterator[str]:
    groups: dict[tuple[str, str], list[ServicePlan]] = {}
    for service in plan.services:
        group = group_of(service.workload.pod)
        if group is not None and service.places:
            groups.setdefault((service.workload.namespace, group), []).append(service)
    for members in groups.values():
        if sum(len(each.places) for each in members) > 1:
            pods = [(each.workload.key, len(each.places)) for each in members]
            names = [key if count == 1 else f"{counted(count, 'pod')} of {key}" for key, count in pods]
            yield f"{named(names)} share {place_text(members[0].places[0])}"


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
        need = f"{each_of(_count(service))}{mebibytes(sizing.total_bytes)}"
        return sizing.model_id, sizing.precision.value, need.replace(" ", TIED)
    return service.workload.pod.annotations.get(MODEL_ID, "-"), "-", "-"


def _count(service: ServicePlan) -> int:
    return count_of(service.workload.pod, service.workload.service)


def _outcome(expected: Expected, *, wide: bool) -> Row:
    placed = expected.placed
    node, mode = ("waits", "-") if placed is None else (placed.node.name, str(placed.mode))
    if not wide:
        return node, mode
    return node, mode, "-" if placed is None else ", ".join(map(str, placed.ids))


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
        "partitions": len(plan.partitions),
        "gpus": len(plan.gpus),
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
        "partition_count": _count(service),
        "replicas": [replica_document(expected) for expected in service.replicas],
        "nearest": [offer_document(offer) for offer in service.offers],
    }
