"""Every fault of the hardware, from every step of a plan and of the partitioner on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.agent.partitioner import StepKind
from controller.agent.simulated_faults import LASTING, STRIKES, Call, Fault, ScriptedFault
from controller.repartition.phases import NOT_BEGUN, TERMINAL, Phase
from controller.state.kinds import GPU_NODES
from tests.fakes.store import Write
from tests.sweep.actions import Action, cancel, kubelet_away, later, strike
from tests.sweep.case import Run
from tests.sweep.scripts import MEMORY, Script
from tests.sweep.world import CHANGED, PLAN

Step: TypeAlias = Phase | StepKind

PLAN_STEPS: Final = tuple(phase for phase in Phase if phase not in NOT_BEGUN | TERMINAL)
"""The phases in which a plan does something."""
STEPS: Final[tuple[Step, ...]] = (*PLAN_STEPS, *StepKind)

LASTS_SECONDS: Final = 90.0
"""How long a fault lasts that does not end with one call."""
HANGS_SECONDS: Final = 400.0
"""How long a reload hangs: longer than it is waited for."""
AWAY_SECONDS: Final = 60.0
"""How long the kubelet is away where Verifying has to wait: for longer than the change takes, shorter than the fault."""

OVER: Final[dict[Step, frozenset[Call]]] = {
    Phase.RELOADING: frozenset({Call.SET_MEMORY_MODE, Call.RELOAD_DRIVER}),
    StepKind.SET_COMPUTE_MODE: frozenset({Call.SET_MEMORY_MODE, Call.RELOAD_DRIVER}),
    Phase.VERIFYING: frozenset({Call.SET_MEMORY_MODE, Call.RELOAD_DRIVER, Call.SET_COMPUTE_MODE}),
}
"""The calls of a change that it has made, or begun to make, when it comes to a step, and does not make again."""

ENDS: Final = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class FaultCase:
    """The fault is there from the step on: it strikes the next call that it can strike, or lasts for a while.

    Where the change makes no such call any more the plan is taken back at the step, and the way back makes it. Verifying
    takes a moment: for one that lasts the kubelet is away until after it has begun, so that it meets the plan there.
    """

    fault: Fault
    step: Step

    def __str__(self) -> str:
        return f"{self.fault}-from-{self.step}"

    @property
    def cancelled_at(self) -> Phase | None:
        """The phase at which the plan is taken back, so that it comes to the step at all; None where it need not be."""
        return Phase.VERIFYING if self.step is Phase.ROLLING_BACK else None

    @property
    def cancelled_with_it(self) -> bool:
        """Whether the plan is taken back at the step, for nothing is left there for the fault to strike."""
        return self.fault in STRIKES and OVER.get(self.step, frozenset()).issuperset(STRIKES[self.fault])

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


async def play_fault(run: Run, case: FaultCase) -> int:
    """The case, in a run that has settled: how often the fault struck while the plan was under way.

    Raises AssertionError when something is not as it must be.
    """
    come: list[Step] = []
    met: list[Fault] = []

    def strikes() -> None:
        if not come:
            come.append(case.step)
            strike(case.scripted)(run.world)
            if case.cancelled_with_it:
                cancel(run.world)

    def struck(fault: Fault) -> None:
        if run.world.phase(PLAN) not in TERMINAL:
            met.append(fault)

    at: dict[Phase, Action] = {} if case.cancelled_at is None else {case.cancelled_at: cancel}
    if case.step is Phase.VERIFYING and case.fault in LASTING:
        at[Phase.APPLYING] = later(1, kubelet_away(AWAY_SECONDS))
    if isinstance(case.step, StepKind):
        run.world.store.on_write.append(_at_step(case.step, strikes))
    else:
        at[case.step] = lambda _: strikes()
    run.world.machines[CHANGED].on_struck = struck
    run.begin(Script(MEMORY, at=at))
    await run.settled()
    assert come, f"the plan never came to {case.step}: {run.table.taken}"
    assert case.fault in met, f"{case.fault} never struck before the plan ended: {run.table.taken}"
    run.judge(ENDS)
    return met.count(case.fault)


def _at_step(step: StepKind, act: Callable[[], None]) -> Callable[[Write], None]:
    def heard(write: Write) -> None:
        if write.resource != GPU_NODES or write.after is None or write.after["metadata"]["name"] != CHANGED:
            return
        operation = (write.after.get("status") or {}).get("operation") or {}
        if str(operation.get("step", "")).startswith(step.value):
            act()

    return heard
