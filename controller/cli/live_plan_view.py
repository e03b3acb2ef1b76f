"""A plan for a real cluster, to be read like a diff: what comes, leaves, changes and moves, and what waits. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from controller.cli.counted import counted, each_of
from controller.cli.expected_view import (
    change_document,
    change_text,
    leaving_text,
    left_document,
    partition_documents,
    replica_document,
    successor_text,
    why_not,
)
from controller.cli.explain_view import wrapped
from controller.cli.live_drafts import Present
from controller.cli.live_plan import Action, LivePlan, ServiceChange
from controller.cli.trial import Expected
from controller.placement.decision import Placed, Unplaced
from controller.placement.explanation import offer_document, place_text, sentence
from controller.placement.size_text import gib
from controller.reconcilers.gpu_partition_claim.admit import Need, count_of

Document = dict[str, Any]


def lines(plan: LivePlan) -> list[str]:
    """One line a service and place, a mode change, a pod that moves, and a claim of others that gets a place."""
    return [
        *(line for service in plan.services for line in _service(service)),
        *(f"~ node {change_text(change)}" for change in plan.changes),
        *(f"~ pod {victim.name} moves to {place_text(placed)}" for victim, placed in plan.moved.items()),
        *(f"- {leaving_text(leaving)}{successor_text(after)}" for leaving, after in plan.leaving),
        *(f"+ claim {key}, which waits now, gets {place_text(placed)}" for key, placed in plan.others.items()),
    ]


def page(plan: LivePlan, width: int) -> str:
    """The lines for people, none longer than `width` but words that are."""
    return "".join(f"{part}\n" for line in lines(plan) for part in wrapped(line, width))


def summary(plan: LivePlan) -> str:
    """The plan in one line."""
    rows = [row for service in plan.services for row in service.new]
    placed = sum(row.placed is not None for row in rows)
    kept = sum(len(service.kept) for service in plan.services)
    gone = sum(len(service.gone) for service in plan.services)
    gone += len(plan.leaving)
    return (
        f"{counted(placed, 'pod')} to place, {gone} to leave, {kept} as they are, {len(rows) - placed} waiting, "
        f"{counted(len(plan.changes), 'mode change')}, {counted(len(plan.moved), 'pod')} moved"
    )


def _service(service: ServiceChange) -> Iterator[str]:
    key = service.workload.key
    if service.action is Action.KEEP:
        yield f"= {key}: {counted(len(service.kept), 'pod')}, nothing changes"
        return
    sign = service.action if service.action is Action.CHANGE else Action.ADD
    if service.kept:
        yield f"= {key}: {counted(len(service.kept), 'pod')} as now"
    for where, count in Counter(map(_held, service.gone)).items():
        yield f"- {key}: {counted(count, 'pod')} {where}"
    each = each_of(_count(service))
    need = f" of {each}{gib(service.need.sizing.total_bytes)}" if isinstance(service.need, Need) else ""
    for (text, how), count in Counter((_place(row), _how(row)) for row in service.new if row.placed).items():
        yield f"{sign} {key}: {counted(count, 'pod')}{need} to {text}{how}"
    if service.warning:
        whom = "" if service.warning.startswith("new pods") else "the new pod "
        yield f"! {key}: KServe rolls out at once: {whom}{service.warning}"
    yield from _waiting(service)


def _count(service: ServiceChange) -> int:
    return count_of(service.workload.pod, service.workload.service)


def _held(present: Present) -> str:
    allocation = present.claim.status.allocation
    if allocation is None:
        return "that waits now"
    if not allocation.devices:
        return f"from {allocation.node}"
    first = allocation.devices[0]
    return f"from {allocation.node} ({first.mode}, {gib(first.bytes)})"


def _place(row: Expected) -> str:
    placed = row.placed
    if placed is None:
        return ""
    several = f"{len(placed.devices)} partitions of " if len(placed.devices) > 1 else ""
    return f"{placed.node.name} ({several}{placed.mode}, {gib(placed.partition.bytes)})"


def _how(row: Expected) -> str:
    return f" once {change_text(row.change)}" if row.change is not None else ""


def _waiting(service: ServiceChange) -> Iterator[str]:
    if service.blocked is not None:
        reason, message = why_not(service.blocked)
        yield f"! {service.workload.key}: the update would be blocked, and what serves serves on: {reason}: {message}"
    waits: dict[str, list[Expected]] = {}
    for row in service.new:
        if isinstance(row.decision, Unplaced):
            waits.setdefault(row.decision.reason, []).append(row)
    for reason, rows in waits.items():
        yield f"! {service.workload.key}: {counted(len(rows), 'pod')} would wait: {reason}: {why_not(rows[0])[1]}"
    if (waits or service.blocked is not None) and service.offers:
        yield f"    nearest change: {sentence(service.offers[0])}"


def document(plan: LivePlan) -> Document:
    """The plan for programs: sizes in bytes, an entry a pod that comes."""
    return {
        "services": [_service_document(service) for service in plan.services],
        "changes": [change_document(change) for change in plan.changes],
        "moved": [{"pod": victim.name} | _placed(placed) for victim, placed in plan.moved.items()],
        "leaving": [left_document(leaving, after) for leaving, after in plan.leaving],
        "others": [{"claim": key} | _placed(placed) for key, placed in plan.others.items()],
        "placed": sum(row.placed is not None for service in plan.services for row in service.new),
        "pending": sum(row.placed is None for service in plan.services for row in service.new),
    }


def _service_document(service: ServiceChange) -> Document:
    sizing = service.need.sizing if isinstance(service.need, Need) else None
    return {
        "kind": service.workload.kind,
        "namespace": service.workload.namespace,
        "name": service.workload.name,
        "action": service.action.value,
        "precision": sizing.precision.value if sizing else None,
        "need_bytes": sizing.total_bytes if sizing else None,
        "partition_count": _count(service),
        "kept": _keys(service.kept),
        "gone": _keys(service.gone),
        "replicas": [replica_document(row) for row in service.new],
        "warning": service.warning,
        "blocked": replica_document(service.blocked) if service.blocked is not None else None,
        "nearest": [offer_document(offer) for offer in service.offers],
    }


def _keys(present: Sequence[Present]) -> list[str]:
    return [each.key for each in present]


def _placed(placed: Placed) -> Document:
    return {
        "node": placed.node.name,
        "bdf": placed.gpu.bdf,
        "partition": placed.partition.id.index,
        "mode": str(placed.mode),
        "partitions": partition_documents(placed),
    }
