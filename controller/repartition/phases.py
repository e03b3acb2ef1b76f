"""The life of a RepartitionPlan as one transition table.

    Pending -> Draining -> Applying -> Verifying -> Succeeded
       |          |           |            |
       v          v           v            v
    AwaitingApproval  Failed  RollingBack -> RolledBack | Failed

Draining waits until nobody holds the GPUs; nothing on the hardware has changed before Applying, so a plan that ends
there is `Failed` with nothing to take back. From Applying on, a failure goes back to the former layout.
"""

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    """Where a plan stands; the names are those of RepartitionPlan.status.phase."""

    PENDING = "Pending"
    AWAITING_APPROVAL = "AwaitingApproval"
    DRAINING = "Draining"
    APPLYING = "Applying"
    VERIFYING = "Verifying"
    SUCCEEDED = "Succeeded"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"


class Event(StrEnum):
    """What can happen to a plan."""

    APPROVED = "Approved"
    APPROVAL_NEEDED = "ApprovalNeeded"
    IDLE = "Idle"
    APPLIED = "Applied"
    APPLY_FAILED = "ApplyFailed"
    REFUSED = "Refused"
    VERIFIED = "Verified"
    MISMATCHED = "Mismatched"
    RESTORED = "Restored"
    EXPIRED = "Expired"


TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.PENDING, Event.APPROVED): Phase.DRAINING,
    (Phase.PENDING, Event.APPROVAL_NEEDED): Phase.AWAITING_APPROVAL,
    (Phase.AWAITING_APPROVAL, Event.APPROVED): Phase.DRAINING,
    (Phase.PENDING, Event.REFUSED): Phase.FAILED,
    (Phase.AWAITING_APPROVAL, Event.REFUSED): Phase.FAILED,
    (Phase.DRAINING, Event.REFUSED): Phase.FAILED,
    (Phase.AWAITING_APPROVAL, Event.EXPIRED): Phase.FAILED,
    (Phase.DRAINING, Event.IDLE): Phase.APPLYING,
    (Phase.DRAINING, Event.EXPIRED): Phase.FAILED,
    (Phase.APPLYING, Event.APPLIED): Phase.VERIFYING,
    (Phase.APPLYING, Event.REFUSED): Phase.FAILED,
    (Phase.APPLYING, Event.APPLY_FAILED): Phase.ROLLING_BACK,
    (Phase.APPLYING, Event.EXPIRED): Phase.ROLLING_BACK,
    (Phase.VERIFYING, Event.VERIFIED): Phase.SUCCEEDED,
    (Phase.VERIFYING, Event.MISMATCHED): Phase.ROLLING_BACK,
    (Phase.VERIFYING, Event.EXPIRED): Phase.ROLLING_BACK,
    (Phase.ROLLING_BACK, Event.RESTORED): Phase.ROLLED_BACK,
    (Phase.ROLLING_BACK, Event.APPLY_FAILED): Phase.FAILED,
    (Phase.ROLLING_BACK, Event.REFUSED): Phase.FAILED,
    (Phase.ROLLING_BACK, Event.EXPIRED): Phase.FAILED,
}

TERMINAL = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED})

#: Longest stay in a phase, seconds; None waits for a person. Applying allows for a driver reload of a whole node,
#: which amdgpu's own tools give some minutes.
DEADLINE_SECONDS: Mapping[Phase, float | None] = {
    Phase.PENDING: None,
    Phase.AWAITING_APPROVAL: None,
    Phase.DRAINING: 600.0,
    Phase.APPLYING: 600.0,
    Phase.VERIFYING: 120.0,
    Phase.ROLLING_BACK: 600.0,
}


class UnknownTransition(RuntimeError):
    """An event that the phase does not expect; names both."""


def step(phase: Phase, event: Event) -> Phase:
    """The phase after `event`. Raises UnknownTransition for a pair that is not in the table."""
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise UnknownTransition(f"a plan in phase {phase} cannot take the event {event}") from None
