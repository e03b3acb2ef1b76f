"""What draining a node means, for people and for programs. Pure."""

from collections.abc import Iterator
from typing import Any

from controller.cli.counted import counted
from controller.cli.drain_plan import Drainage, Tenant
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
from controller.placement.decision import Placed
from controller.placement.explanation import place_text
from controller.placement.size_text import gib

Document = dict[str, Any]


def page(found: Drainage, width: int) -> str:
    """The lines for people, none longer than `width` but words that are: signs as of `plan --cluster`."""
    return "".join(f"{part}\n" for line in lines(found) for part in wrapped(line, width))


def lines(found: Drainage) -> Iterator[str]:
    """A line a pod, in the order in which they leave, and one for each thing that happens elsewhere."""
    for tenant in found.tenants:
        yield _tenant(tenant)
    for tenant in found.ending:
        yield f"- pod {tenant.name} is leaving already"
    for change in found.changes:
        yield f"~ node {change_text(change)}"
    for victim, placed in found.moved.items():
        yield f"~ pod {victim.name} moves to {place_text(placed)}"
    for leaving, after in found.leaving:
        yield f"- {leaving_text(leaving)}{successor_text(after)}"
    for key, placed in found.waiting.items():
        yield f"+ claim {key}, which waits now, gets {place_text(placed)}"
    if found.foreign:
        held = counted(found.foreign, "partition")
        yield f"! {held} of the node held by workloads that are not managed here: they stay"


def summary(found: Drainage) -> str:
    """The node in one line."""
    placed = sum(each.placed is not None for each in found.tenants)
    parts = [f"{counted(len(found.tenants), 'pod')} to evict", f"{placed} with a place elsewhere"]
    parts += [f"{len(found.homeless)} whose successors would wait"] if found.homeless else []
    parts += [f"{len(found.lost)} that no controller makes anew"] if found.lost else []
    parts += [f"{counted(len(found.changes), 'mode change')}"] if found.changes else []
    others = f"; {counted(found.others, 'other pod')} on it, which kubectl drain takes" if found.others else ""
    return f"node {found.node}{' (cordoned)' if found.cordoned else ''}: {', '.join(parts)}{others}"


def _tenant(tenant: Tenant) -> str:
    kept = "; a disruption budget keeps it at the moment" if tenant.kept else ""
    return f"{_sign(tenant)} pod {tenant.name} ({gib(tenant.bytes)}{_model(tenant)}): {_fate(tenant)}{kept}"


def _sign(tenant: Tenant) -> str:
    return "~" if tenant.placed is not None else "!"


def _model(tenant: Tenant) -> str:
    return f", {tenant.model}" if tenant.model else ""


def _fate(tenant: Tenant) -> str:
    if not tenant.owned:
        return "no controller makes it anew"
    if tenant.group:
        return f"of share group {tenant.group}, of which nothing is worked out here"
    if tenant.expected is None:
        return "what its successor needs is not known"
    if tenant.placed is None:
        reason, message = why_not(tenant.expected)
        return f"its successor would wait: {reason}: {message}"
    change = tenant.expected.change
    once = f" once {change_text(change)}" if change is not None else ""
    return f"its successor gets {place_text(tenant.placed)}{once}"


def document(found: Drainage) -> Document:
    """The same for programs: sizes in bytes."""
    return {
        "node": found.node,
        "cordoned": found.cordoned,
        "pods": [_tenant_document(each) for each in found.tenants],
        "leavingAlready": [each.name for each in found.ending],
        "foreignPartitions": found.foreign,
        "otherPods": found.others,
        "changes": [change_document(change) for change in found.changes],
        "moved": [{"pod": victim.name} | _placed(placed) for victim, placed in found.moved.items()],
        "leaving": [left_document(leaving, after) for leaving, after in found.leaving],
        "waiting": [{"claim": key} | _placed(placed) for key, placed in found.waiting.items()],
    }


def _tenant_document(tenant: Tenant) -> Document:
    return {
        "pod": tenant.name,
        "claim": tenant.claim,
        "model": tenant.model or None,
        "bytes": tenant.bytes,
        "priority": tenant.pod.priority,
        "shareGroup": tenant.group or None,
        "madeAnew": tenant.owned,
        "keptByBudget": tenant.kept,
        "successor": replica_document(tenant.expected) if tenant.expected is not None else None,
    }


def _placed(placed: Placed) -> Document:
    return {"node": placed.node.name, "partitions": partition_documents(placed), "mode": str(placed.mode)}
