"""The life of a RepartitionPlan as one transition table; docs/repartitioning.md shows it, drawn from here.

    Pending -> Draining -> Quiescing -> Applying -> (Reloading ->) Verifying -> Succeeded

Draining waits until nobody holds the GPUs, Quiescing until nothing has them open. The hardware is as it was until
Applying, so a plan that ends before is `Failed` with nothing to take back. From Applying on a failure goes back to the
former layout: RollingBack, then RolledBack, or Failed when even that did not succeed. A plan that changes no mode has
succeeded once all pods have left.
"""

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    """Where a plan stands; the names are those of RepartitionPlan.status.phase."""

    PENDING = "Pending"
    AWAITING_APPROVAL = "AwaitingApproval"
    DRAINING = "Draining"
    QUIESCING = "Quiescing"
    APPLYING = "Applying"
    RELOADING = "Reloading"
    VERIFYING = "Verifying"
    SUCCEEDED = "Succeeded"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"


class Event(StrEnum):
    """What can happen to a plan; `MEANINGS` says each in a sentence."""

    APPROVED = "Approved"
    APPROVAL_NEEDED = "ApprovalNeeded"
    REFUSED = "Refused"
    IDLE = "Idle"
    EMPTIED = "Emptied"
    DISTURBED = "Disturbed"
    QUIET = "Quiet"
    RELOADS = "Reloads"
    APPLIED = "Applied"
    APPLY_FAILED = "ApplyFailed"
    VERIFIED = "Verified"
    MISMATCHED = "Mismatched"
    RETRIED = "Retried"
    RESTORED = "Restored"
    NODE_GONE = "NodeGone"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"


MEANINGS: Mapping[Event, str] = {
    Event.APPROVED: "a person approved the plan, or it needs no approval",
    Event.APPROVAL_NEEDED: "the plan is Manual and nobody has approved it yet",
    Event.REFUSED: "the plan cannot or must not run (any more): the hardware, a rule, its claim or a person says no",
    Event.IDLE: "nobody holds the GPUs of the plan",
    Event.EMPTIED: "nobody holds the GPUs of the plan, which changes no mode",
    Event.DISTURBED: "somebody holds or opened a GPU of the plan; nothing was changed",
    Event.QUIET: "nothing has the GPUs open and AMD's metrics exporter is gone",
    Event.RELOADS: "the agent began to reload the driver",
    Event.APPLIED: "the agent changed the modes",
    Event.APPLY_FAILED: "the agent could not change the modes",
    Event.VERIFIED: "modes, partitions and advertised devices are as asked",
    Event.MISMATCHED: "a GPU reads another mode than the one asked for",
    Event.RETRIED: "the way back failed and is tried again",
    Event.RESTORED: "modes, partitions and advertised devices are as before the plan",
    Event.NODE_GONE: "the GPUNode was deleted",
    Event.CANCELLED: "spec.rollback was set",
    Event.EXPIRED: "the phase took longer than its deadline",
}

TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.PENDING, Event.APPROVED): Phase.DRAINING,
    (Phase.PENDING, Event.APPROVAL_NEEDED): Phase.AWAITING_APPROVAL,
    (Phase.PENDING, Event.REFUSED): Phase.FAILED,
    (Phase.PENDING, Event.CANCELLED): Phase.FAILED,
    (Phase.AWAITING_APPROVAL, Event.APPROVED): Phase.DRAINING,
    (Phase.AWAITING_APPROVAL, Event.REFUSED): Phase.FAILED,
    (Phase.AWAITING_APPROVAL, Event.CANCELLED): Phase.FAILED,
    (Phase.DRAINING, Event.IDLE): Phase.QUIESCING,
    (Phase.DRAINING, Event.EMPTIED): Phase.SUCCEEDED,
    (Phase.DRAINING, Event.REFUSED): Phase.FAILED,
    (Phase.DRAINING, Event.CANCELLED): Phase.FAILED,
    (Phase.DRAINING, Event.EXPIRED): Phase.FAILED,
    (Phase.QUIESCING, Event.QUIET): Phase.APPLYING,
    (Phase.QUIESCING, Event.DISTURBED): Phase.DRAINING,
    (Phase.QUIESCING, Event.REFUSED): Phase.FAILED,
    (Phase.QUIESCING, Event.CANCELLED): Phase.FAILED,
    (Phase.QUIESCING, Event.EXPIRED): Phase.FAILED,
    (Phase.APPLYING, Event.RELOADS): Phase.RELOADING,
    (Phase.APPLYING, Event.APPLIED): Phase.VERIFYING,
    (Phase.APPLYING, Event.DISTURBED): Phase.DRAINING,
    (Phase.APPLYING, Event.APPLY_FAILED): Phase.ROLLING_BACK,
    (Phase.APPLYING, Event.NODE_GONE): Phase.FAILED,
    (Phase.APPLYING, Event.CANCELLED): Phase.ROLLING_BACK,
    (Phase.APPLYING, Event.EXPIRED): Phase.ROLLING_BACK,
    (Phase.RELOADING, Event.APPLIED): Phase.VERIFYING,
    (Phase.RELOADING, Event.APPLY_FAILED): Phase.ROLLING_BACK,
    (Phase.RELOADING, Event.NODE_GONE): Phase.FAILED,
    (Phase.RELOADING, Event.CANCELLED): Phase.ROLLING_BACK,
    (Phase.RELOADING, Event.EXPIRED): Phase.ROLLING_BACK,
    (Phase.VERIFYING, Event.VERIFIED): Phase.SUCCEEDED,
    (Phase.VERIFYING, Event.MISMATCHED): Phase.ROLLING_BACK,
    (Phase.VERIFYING, Event.NODE_GONE): Phase.FAILED,
    (Phase.VERIFYING, Event.CANCELLED): Phase.ROLLING_BACK,
    (Phase.VERIFYING, Event.EXPIRED): Phase.ROLLING_BACK,
    (Phase.ROLLING_BACK, Event.RESTORED): Phase.ROLLED_BACK,
    (Phase.ROLLING_BACK, Event.RETRIED): Phase.ROLLING_BACK,
    (Phase.ROLLING_BACK, Event.APPLY_FAILED): Phase.FAILED,
    (Phase.ROLLING_BACK, Event.NODE_GONE): Phase.FAILED,
    (Phase.ROLLING_BACK, Event.EXPIRED): Phase.FAILED,
}

TERMINAL = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED})

#: Phases before a plan begins: nobody is disturbed and nothing acts.
NOT_BEGUN = frozenset({Phase.PENDING, Phase.AWAITING_APPROVAL})

#: Phases in which the hardware may differ from what the plan started from.
HARDWARE = frozenset({Phase.APPLYING, Phase.RELOADING, Phase.VERIFYING, Phase.ROLLING_BACK})

#: Longest stay in a phase, seconds; None waits for a person. Draining counts from its first beginning, also when it is
#: come back to. A reload of a whole node takes minutes by amdgpu's own tools, and the agent gives up on one that hangs
#: by itself: Reloading and RollingBack outlast that. Verifying allows for a device plugin whose image is pulled anew.
DEADLINE_SECONDS: Mapping[Phase, float | None] = {
    Phase.PENDING: None,
    Phase.AWAITING_APPROVAL: None,
    Phase.DRAINING: 600.0,
    Phase.QUIESCING: 120.0,
    Phase.APPLYING: 600.0,
    Phase.RELOADING: 1200.0,
    Phase.VERIFYING: 300.0,
    Phase.ROLLING_BACK: 1800.0,
}


class UnknownTransition(RuntimeError):
    """An event that the phase does not expect; names both."""


def step(phase: Phase, event: Event) -> Phase:
    """The phase after `event`. Raises UnknownTransition for a pair that is not in the table."""
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise UnknownTransition(f"a plan in phase {phase} cannot take the event {event}") from None
