"""Cases of the sweep on a plane: the same products, with processes killed by their ids."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from controller.agent.simulated_faults import LASTING, Fault, ScriptedFault
from controller.repartition.phases import TRANSITIONS, Event, Phase
from tests.integration.sweep.checks import judge, modes, unsettled
from tests.integration.sweep.scripts import PLANE_SCRIPTS, Action, PlaneScript, cancel, strike
from tests.integration.sweep.site import TIME_SCALE, Site
from tests.sweep.case import Case, cases, right_ends
from tests.sweep.faults import ENDS, FaultCase, fault_cases
from tests.sweep.scripts import MEMORY
from tests.sweep.transitions import Key

PlaneCase: TypeAlias = Case | FaultCase

_TAKEN_SECONDS = 120.0
_POLL_SECONDS = 0.05
_REFUSALS = ((Phase.DRAINING, Event.REFUSED), (Phase.QUIESCING, Event.REFUSED))
# UnknownGPU, ModeUnreadable and SourcesDisagree in docs/repartitioning.md.
_REFUSED_FOR = frozenset({Fault.GPU_LOST, Fault.MODE_NOT_TOLD, Fault.COUNTS_DIFFER})


def all_cases() -> list[PlaneCase]:
    """Everything that is swept in virtual time."""
    return [*cases(), *fault_cases()]


AGENT, OPERATOR, BOTH = ("agent",), ("operator",), ("agent", "operator")

#: Cases that are quick on a plane: from every phase of the table, and every way to kill where an agent is at work.
QUICK: tuple[Case, ...] = (
    Case((Phase.PENDING, Event.APPROVED), OPERATOR),
    Case((Phase.PENDING, Event.APPROVAL_NEEDED), OPERATOR),
    Case((Phase.PENDING, Event.CANCELLED), OPERATOR),
    Case((Phase.AWAITING_APPROVAL, Event.APPROVED), BOTH),
    Case((Phase.AWAITING_APPROVAL, Event.CANCELLED), OPERATOR),
    Case((Phase.DRAINING, Event.IDLE), AGENT),
    Case((Phase.DRAINING, Event.IDLE), OPERATOR),
    Case((Phase.DRAINING, Event.EMPTIED), OPERATOR),
    Case((Phase.DRAINING, Event.CANCELLED), OPERATOR),
    Case((Phase.QUIESCING, Event.QUIET), AGENT),
    Case((Phase.QUIESCING, Event.QUIET), OPERATOR),
    Case((Phase.QUIESCING, Event.QUIET), BOTH),
    Case((Phase.QUIESCING, Event.CANCELLED), OPERATOR),
    Case((Phase.APPLYING, Event.RELOADS), AGENT),
    Case((Phase.APPLYING, Event.RELOADS), OPERATOR),
    Case((Phase.APPLYING, Event.RELOADS), BOTH),
    Case((Phase.APPLYING, Event.APPLIED), AGENT),
    Case((Phase.APPLYING, Event.APPLIED), OPERATOR),
    Case((Phase.APPLYING, Event.CANCELLED), OPERATOR),
    Case((Phase.RELOADING, Event.APPLIED), OPERATOR),
    Case((Phase.RELOADING, Event.CANCELLED), AGENT),
    Case((Phase.VERIFYING, Event.VERIFIED), OPERATOR),
    Case((Phase.VERIFYING, Event.CANCELLED), OPERATOR),
    Case((Phase.ROLLING_BACK, Event.RESTORED), AGENT),
    Case((Phase.ROLLING_BACK, Event.RESTORED), OPERATOR),
    Case((Phase.ROLLING_BACK, Event.RESTORED), BOTH),
)


async def play(site: Site, case: PlaneCase, number: int) -> None:
    """One case on a cluster that the case before has left settled. Raises AssertionError."""
    site.choose()
    before = modes(site, site.node)
    name = f"case-{number}-{site.node}"
    if isinstance(case, Case):
        await _transition(site, case, name)
        judge(site, right_ends(case.at), before)
    else:
        await _fault(site, case, name)
        judge(site, _fault_ends(site, case), before)
    await site.mend(unsettled)


async def _transition(site: Site, case: Case, name: str) -> None:
    killed: list[Key] = []

    def taken(key: Key) -> None:
        if key == case.at and not killed:
            killed.append(key)
            for who in case.killed:
                site.kill(who)

    begin(site, PLANE_SCRIPTS[case.at], name, taken)
    try:
        async with asyncio.timeout(_TAKEN_SECONDS):
            while not killed:  # noqa: ASYNC110 - the proxy tells by a call
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"{case.at} was not taken: {site.taken}; log {site.cluster.operator.log}") from None
    await site.settled(unsettled)


async def _fault(site: Site, case: FaultCase, name: str) -> None:
    """The agent dies when the plan comes to the step, and the next one finds the fault in its hardware."""
    struck: list[str] = []

    def strikes() -> None:
        if not struck:
            struck.append(str(case))
            strike(_scripted(site, case))(site)
            if case.cancelled_with_it:
                cancel(site)

    def at_step(step: str) -> None:
        if step.startswith(case.step.value):
            strikes()

    at: dict[Phase, Action] = {} if case.cancelled_at is None else {case.cancelled_at: cancel}
    if isinstance(case.step, Phase):
        at[case.step] = lambda _: strikes()
    else:
        site.on_step = at_step
    begin(site, PlaneScript(MEMORY, at=at), name)
    try:
        await site.settled(unsettled)
    finally:
        site.on_step = lambda _: None
    assert struck, f"the plan never came to {case.step}: {site.taken}"


def _fault_ends(site: Site, case: FaultCase) -> frozenset[Phase]:
    """An agent that starts anew sees a lasting fault at once: a plan that has changed nothing yet may be refused."""
    refused = bool(site.taken) and site.taken[-1] in _REFUSALS
    return frozenset({Phase.FAILED}) if refused and case.fault in _REFUSED_FOR else ENDS


def _scripted(site: Site, case: FaultCase) -> ScriptedFault:
    """The fault of the case on the node that is changed; one that lasts befalls a GPU that is changed in any case."""
    fault = case.scripted
    if fault.fault is Fault.RELOAD_HANGS and fault.seconds is not None:
        # Longer than it is waited for, as there: the limit is a duration of the hardware.
        fault = replace(fault, seconds=fault.seconds * TIME_SCALE)
    return replace(fault, node=site.node, gpu=site.gpu if fault.fault in LASTING else None)


def begin(site: Site, script: PlaneScript, name: str, taken: Callable[[Key], None] = lambda _: None) -> None:
    """Write the plan; what the script says happens as it goes on, and `taken` hears of each transition after that."""
    come_to: set[Phase] = set()

    def heard(key: Key) -> None:
        phase = TRANSITIONS[key]
        if phase not in come_to and phase in script.at:
            script.at[phase](site)
        come_to.add(phase)
        taken(key)

    site.on_taken = heard
    if script.first is not None:
        script.first(site)
    site.begin(name, script.to, approved=script.approved, cancelled=script.cancelled)
