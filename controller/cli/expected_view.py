"""What is expected of pods that were tried, who leaves for whom, which modes change: in words, for programs. Pure."""

from typing import Any

from controller.cli.counted import counted
from controller.cli.trial import Expected, Leaving
from controller.placement.decision import Placed, Unplaced
from controller.placement.explanation import place_text
from controller.reconcilers.gpu_partition_claim.placing import HELPED_BY_A_CHANGE
from controller.repartition.planner import Proposal

#: That nobody could leave goes without saying where nobody has a lower priority.
_NOT_WORTH_SAYING = frozenset({"NobodyToPreempt", "ShareGroup"})
Document = dict[str, Any]


def leaving_text(leaving: Leaving) -> str:
    """Who leaves for whom, with both priorities: where the higher one leaves, it gives back what it had borrowed."""
    occupant, whom = leaving.occupant, leaving.whom
    priorities = f"priority {occupant.priority}, that one {whom.priority}"
    return f"pod {occupant.namespace}/{occupant.pod} leaves for {whom.key} ({priorities})"


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


def replica_document(expected: Expected) -> Document:
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


def partition_documents(placed: Placed) -> list[Document]:
    """Every partition of a place, for programs."""
    return [
        {"bdf": device.gpu.bdf, "partition": device.partition.id.index, "bytes": device.partition.bytes}
        for device in placed.devices
    ]


def leaving_document(leaving: Leaving) -> Document:
    """A pod that leaves for another, for programs."""
    occupant = leaving.occupant
    return {
        "pod": f"{occupant.namespace}/{occupant.pod}",
        "priority": occupant.priority,
        "for": leaving.whom.key,
        "forPriority": leaving.whom.priority,
    }


def change_document(change: Proposal) -> Document:
    """A mode change for programs."""
    return {
        "node": change.node,
        "policy": change.policy,
        "approval": "Auto" if change.automatic else "Manual",
        "gpus": [
            {"bdf": bdf, "from": str(before), "to": str(dict(change.after)[bdf])} for bdf, before in change.before
        ],
    }


def successor_text(after: Expected | None) -> str:
    """What becomes of the pod that its controller makes next."""
    if after is None:
        return "; no controller makes it anew"
    if after.placed is not None:
        return f"; its successor gets {place_text(after.placed)}"
    return f"; its successor would wait: {why_not(after)[0]}"


def left_document(leaving: Leaving, after: Expected | None) -> Document:
    """A pod that leaves for another, and what becomes of the one that comes after it, for programs."""
    return leaving_document(leaving) | {"successor": replica_document(after) if after is not None else None}
