"""The Events of the claim flow, a constructor each, told to the pod and to whatever made it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from controller.runtime.event_recorder import EventRecorder

Reference = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """One Event: `type` is Normal or Warning."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    action: str


def waiting(reason: str, message: str) -> Note:
    """The pod has no partition, and why."""
    return Note("Warning", reason, message, "Place")


def bound(where: str) -> Note:
    """A partition was chosen and the gate opened."""
    return Note("Normal", "PartitionBound", f"bound to {where}", "Bind")


def rebound(where: str) -> Note:
    """Somebody else took the device; another one was pinned."""
    return Note("Warning", "PartitionRebound", f"the device was taken by somebody else; now bound to {where}", "Rebind")


def mismatched(message: str) -> Note:
    """The pod holds another device than it was bound to."""
    return Note("Warning", "ObservedMismatch", message, "Observe")


def replaced(node: str, said: str | None = None) -> Note:
    """The pod was deleted: its node has no partition left for it, or, as it `said`, the scheduler does not take it."""
    why = f"node {node} has no partition left for this pod"
    if said is not None:
        why = f"the scheduler refuses this pod on node {node}, to which it is bound: {said}"
    return Note("Warning", "PodReplaced", f"{why}; it is made anew", "Replace")


def plan_made(plan: str, node: str) -> Note:
    """A mode change was planned to make room."""
    return Note("Normal", "RepartitionPlanned", f"plan {plan} changes modes on node {node} to make room", "Repartition")


def nominated(node: str, evicted: int) -> Note:
    """A place is kept for the pod: others leave it, or it has waited long."""
    why = f"{_pods(evicted)} it" if evicted else "it has waited long"
    return Note("Normal", "Nominated", f"a place on node {node} is kept for it: {why}", "Place")


def preempted(reason: str) -> Note:
    """The pod was evicted so that another gets its place; whose that is is not told."""
    return Note("Warning", "Preempted", f"evicted: {reason}", "Preempt")


def not_nominated(reason: str) -> Note:
    """No place is kept for the pod any more."""
    return Note("Warning", "NominationEnded", f"no place is kept for it any more: {reason}", "Place")


def _pods(count: int) -> str:
    return "1 pod leaves" if count == 1 else f"{count} pods leave"


def tell(recorder: "EventRecorder", regarding: Iterable[Reference], note: Note) -> None:
    """Record the Event on each object."""
    for reference in regarding:
        recorder.record(reference, note.type, note.reason, note.note, note.action)
