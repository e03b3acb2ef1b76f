"""Every fault of the hardware, from every step of a plan and of the partitioner on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.agent.partitioner import StepKind
from controller.agent.simulated_faults import LASTING, Call, Fault, ScriptedFault
from controller.repartition.phases import NOT_BEGUN, TERMINAL, Phase
from controller.state.kinds import GPU_NODES
from tests.fakes.store import Write
from tests.sweep.actions import Action, cancel, strike
from tests.sweep.case import Run
from tests.sweep.scripts import MEMORY, Script
from tests.sweep.world import CHANGED

Step: TypeAlias = Phase | StepKind

PLAN_STEPS: Final = tuple(phase for phase in Phase if phase not in NOT_BEGUN | TERMINAL)
"""The phases in which a plan does something."""
STEPS: Final[tuple[Step, ...]] = (*PLAN_STEPS, *StepKind)

LASTS_SECONDS: Final = 90.0
"""How long a fault lasts that does not end with one call."""
HANGS_SECONDS: Final = 400.0
"""How long a reload hangs: longer than it is waited for."""

ENDS: Final = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class FaultCase:
    """The fault is there from the step on: it strikes the next call that it can strike, or lasts for a while."""

    fault: Fault
    step: Step

    def __str__(self) -> str:
        return f"{self.fault}-from-{self.step}"

    @property
    def scripted(self) -> ScriptedFault:
        """What the hardware is told."""
        if self.fault in LASTING:
            call = Call.RELOAD_DRIVER if self.step is StepKind.RELOAD_DRIVER else Call.READ
            return ScriptedFault(self.fault, call, seconds=LASTS_SECONDS)
        return ScriptedFault(self.fault, seconds=HANGS_SECONDS if self.fault is Fault.RELOAD_HANGS else None)


def fault_cases() -> list[FaultCase]:
    """Every fault from every step on."""
    return [FaultCase(fault, step) for fault in Fault for step in STEPS]


async def play_fault(run: Run, case: FaultCase) -> None:
    """The case, in a run that has settled. Raises AssertionError when something is not as it must be."""
    struck: list[Step] = []

    def strikes() -> None:
        if not struck:
            struck.append(case.step)
            strike(case.scripted)(run.world)

    at: dict[Phase, Action] = {Phase.VERIFYING: cancel} if case.step is Phase.ROLLING_BACK else {}
    if isinstance(case.step, StepKind):
        run.world.store.on_write.append(_at_step(case.step, strikes))
    else:
        at[case.step] = lambda _: strikes()
    run.begin(Script(MEMORY, at=at))
    await run.settled()
    assert struck, f"the plan never came to {case.step}: {run.table.taken}"
    run.judge(ENDS)


def _at_step(step: StepKind, act: Callable[[], None]) -> Callable[[Write], None]:
    def heard(write: Write) -> None:
        if write.resource != GPU_NODES or write.after is None or write.after["metadata"]["name"] != CHANGED:
            return
        operation = (write.after.get("status") or {}).get("operation") or {}
        if str(operation.get("step", "")).startswith(step.value):
            act()

    return heard
