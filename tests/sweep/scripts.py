"""How each transition of the table is brought about: a plan, and what befalls it in which phase.

A transition without a script, or a script without a transition, fails the sweep by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.agent.simulated_faults import Call, Fault, ScriptedFault
from controller.repartition.phases import DEADLINE_SECONDS, Event, Phase
from tests.sweep.actions import (
    Action,
    agent_away,
    approve,
    both,
    budget_that_never_allows,
    cancel,
    forbid,
    force,
    kubelet_away,
    later,
    node_gone,
    strike,
    take_a_gpu,
)
from tests.sweep.transitions import Key

COMPUTE: Final = "QPX/NPS1"
"""To this mode the first GPU goes: the compute mode changes."""
MEMORY: Final = "CPX/NPS4"
"""To this mode both GPUs go: the memory mode changes, and the driver is reloaded."""
STAY: Final = ""
"""The first GPU stays as it is: the plan only moves who is on it."""


@dataclass(frozen=True, slots=True)
class Script:
    """`to`: COMPUTE, MEMORY or STAY. `approved`: from the beginning. `cancelled`: written with `rollback` set.

    `first` acts before the plan is there, `at` when it comes to a phase for the first time.
    """

    to: str = COMPUTE
    approved: bool = True
    cancelled: bool = False
    first: Action | None = None
    at: Mapping[Phase, Action] = field(default_factory=dict)


def overdue(phase: Phase) -> float:
    """Seconds after which a phase has surely expired."""
    limit = DEADLINE_SECONDS[phase]
    assert limit is not None
    return limit + 60.0


def once(fault: Fault, call: Call, times: int = 1) -> Action:
    """The next such calls fail so."""
    return strike(ScriptedFault(fault, call, times=times))


_CANNOT = once(Fault.SETTING_UNAVAILABLE, Call.SET_COMPUTE_MODE)
_AWAY_SECONDS: Final = 20.0
_NODE_GONE = node_gone(_AWAY_SECONDS)
# The agent tells of the process before the pods are gone, and it stays for longer than the plan waits.
_OPENED_BY_A_STRANGER = both(
    strike(ScriptedFault(Fault.FOREIGN_PROCESS, seconds=2 * overdue(Phase.QUIESCING))), budget_that_never_allows(60)
)
# Once the compute mode was changed there is something to take back.
_BACK: Final = {Phase.VERIFYING: cancel}

SCRIPTS: Final[Mapping[Key, Script]] = {
    (Phase.PENDING, Event.APPROVED): Script(),
    (Phase.PENDING, Event.APPROVAL_NEEDED): Script(approved=False, at={Phase.AWAITING_APPROVAL: later(5, approve)}),
    (Phase.PENDING, Event.REFUSED): Script(first=forbid(60)),
    (Phase.PENDING, Event.CANCELLED): Script(cancelled=True),
    (Phase.AWAITING_APPROVAL, Event.APPROVED): Script(approved=False, at={Phase.AWAITING_APPROVAL: later(5, approve)}),
    (Phase.AWAITING_APPROVAL, Event.REFUSED): Script(approved=False, at={Phase.AWAITING_APPROVAL: forbid(60)}),
    (Phase.AWAITING_APPROVAL, Event.CANCELLED): Script(approved=False, at={Phase.AWAITING_APPROVAL: cancel}),
    (Phase.DRAINING, Event.IDLE): Script(),
    (Phase.DRAINING, Event.EMPTIED): Script(STAY),
    (Phase.DRAINING, Event.REFUSED): Script(first=budget_that_never_allows(60), at={Phase.DRAINING: forbid(60)}),
    (Phase.DRAINING, Event.CANCELLED): Script(
        first=budget_that_never_allows(60), at={Phase.DRAINING: later(10, cancel)}
    ),
    (Phase.DRAINING, Event.EXPIRED): Script(first=budget_that_never_allows(overdue(Phase.DRAINING))),
    (Phase.QUIESCING, Event.QUIET): Script(),
    (Phase.QUIESCING, Event.DISTURBED): Script(at={Phase.QUIESCING: take_a_gpu(_AWAY_SECONDS)}),
    (Phase.QUIESCING, Event.REFUSED): Script(at={Phase.QUIESCING: forbid(60)}),
    (Phase.QUIESCING, Event.CANCELLED): Script(at={Phase.QUIESCING: cancel}),
    (Phase.QUIESCING, Event.EXPIRED): Script(first=_OPENED_BY_A_STRANGER),
    (Phase.APPLYING, Event.RELOADS): Script(MEMORY),
    (Phase.APPLYING, Event.APPLIED): Script(),
    (Phase.APPLYING, Event.DISTURBED): Script(at={Phase.APPLYING: take_a_gpu(_AWAY_SECONDS)}),
    (Phase.APPLYING, Event.APPLY_FAILED): Script(at={Phase.APPLYING: _CANNOT}),
    (Phase.APPLYING, Event.NODE_GONE): Script(at={Phase.APPLYING: _NODE_GONE}),
    (Phase.APPLYING, Event.CANCELLED): Script(at={Phase.APPLYING: cancel}),
    (Phase.APPLYING, Event.EXPIRED): Script(at={Phase.APPLYING: agent_away(overdue(Phase.APPLYING))}),
    (Phase.RELOADING, Event.APPLIED): Script(MEMORY),
    (Phase.RELOADING, Event.APPLY_FAILED): Script(MEMORY, at={Phase.RELOADING: _CANNOT}),
    (Phase.RELOADING, Event.NODE_GONE): Script(MEMORY, at={Phase.RELOADING: _NODE_GONE}),
    (Phase.RELOADING, Event.CANCELLED): Script(MEMORY, at={Phase.RELOADING: cancel}),
    (Phase.RELOADING, Event.EXPIRED): Script(MEMORY, at={Phase.RELOADING: agent_away(overdue(Phase.RELOADING))}),
    (Phase.VERIFYING, Event.VERIFIED): Script(),
    (Phase.VERIFYING, Event.MISMATCHED): Script(
        at={Phase.APPLYING: later(1, kubelet_away(120)), Phase.VERIFYING: force("SPX/NPS1")}
    ),
    (Phase.VERIFYING, Event.NODE_GONE): Script(at={Phase.VERIFYING: _NODE_GONE}),
    (Phase.VERIFYING, Event.CANCELLED): Script(at=_BACK),
    (Phase.VERIFYING, Event.EXPIRED): Script(at={Phase.VERIFYING: kubelet_away(overdue(Phase.VERIFYING))}),
    (Phase.ROLLING_BACK, Event.RESTORED): Script(at=_BACK),
    (Phase.ROLLING_BACK, Event.RETRIED): Script(at={**_BACK, Phase.ROLLING_BACK: _CANNOT}),
    (Phase.ROLLING_BACK, Event.APPLY_FAILED): Script(
        at={**_BACK, Phase.ROLLING_BACK: once(Fault.SETTING_UNAVAILABLE, Call.SET_COMPUTE_MODE, times=0)}
    ),
    (Phase.ROLLING_BACK, Event.NODE_GONE): Script(at={**_BACK, Phase.ROLLING_BACK: _NODE_GONE}),
    (Phase.ROLLING_BACK, Event.EXPIRED): Script(
        at={**_BACK, Phase.ROLLING_BACK: agent_away(overdue(Phase.ROLLING_BACK))}
    ),
}
