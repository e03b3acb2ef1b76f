"""One case of the sweep, from a settled cluster to a settled cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.repartition.phases import HARDWARE, TERMINAL, TRANSITIONS, Phase
from controller.state.kinds import GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from tests.sweep.invariants import Monitor, unsettled
from tests.sweep.scripts import MEMORY, SCRIPTS, STAY, Script
from tests.sweep.transitions import Key, Transitions, recorded
from tests.sweep.world import CHANGED, FIRST_MODE, MODELS, PLAN, World, model, world

KILLS = (("agent",), ("operator",), ("agent", "operator"))
"""Who is killed at a transition."""
BACK_SECONDS = 3.0
"""After which a killed process is there again."""
_START_SECONDS = 60.0
_TAKEN_SECONDS = 3000.0
_SETTLED_SECONDS = 3600.0
_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Case:
    """Killed right after the write that carries out a transition, before its answer."""

    at: Key
    killed: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.at[0]}-{self.at[1]}-{'+'.join(self.killed)}-killed"


def cases() -> list[Case]:
    """Every transition of the table, with each way to kill."""
    return [Case(key, killed) for key in TRANSITIONS for killed in KILLS]


class Run:
    """A world with the table's memory and the monitor, all claims placed, and the plan under way after `begin`."""

    def __init__(self, made: World, table: Transitions) -> None:
        self.world = made
        self.table = table
        self.monitor = Monitor(made)
        self.killed_at: Key | None = None
        self.took = 0.0

    async def settle_in(self) -> None:
        """Four models on the node that will be changed: the other one is not there for the operator yet."""
        self.world.kubernetes.add(model("first", 2))
        self.world.kubernetes.add(model("second", 2))
        self.world.operator.start(self.world.tasks)
        self.world.agents[CHANGED].start(self.world.tasks)
        await self.world.until(lambda: "four claims are Allocated", self._four_allocated, _START_SECONDS)
        self.world.start()
        await self.settled(_START_SECONDS, 0.5)
        nodes = [claim["status"]["allocation"]["node"] for claim in self.world.store.list(GPU_PARTITION_CLAIMS)]
        assert nodes == [CHANGED] * MODELS, f"the scenario begins otherwise: {nodes}"

    def _four_allocated(self) -> bool:
        claims = self.world.store.list(GPU_PARTITION_CLAIMS)
        return [(claim.get("status") or {}).get("phase") for claim in claims] == ["Allocated"] * MODELS

    def begin(self, script: Script, case: Case | None = None) -> None:
        """Create the plan; what the script and the case say happens as it goes on."""
        come_to: set[Phase] = set()

        def taken(key: Key, _: str) -> None:
            phase = TRANSITIONS[key]
            if phase not in come_to and phase in script.at:
                script.at[phase](self.world)
            come_to.add(phase)
            if case is not None and key == case.at and self.killed_at is None:
                self.killed_at = key
                self.kill(case.killed)

        self.table.on_taken = taken
        self.took = -self.world.clock.monotonic()
        if script.first is not None:
            script.first(self.world)
        self.world.store.create(REPARTITION_PLANS, plan(self.world, script))

    def kill(self, who: tuple[str, ...]) -> None:
        """Kill them; they are there again a little later, unless the script keeps them away for longer."""
        for name in who:
            process = self.world.operator if name == "operator" else self.world.agents[CHANGED]
            if process.alive:
                process.kill()
                self.world.restart_after(process, BACK_SECONDS)

    async def taken(self, key: Key) -> None:
        """Wait until the plan has taken the transition."""
        await self.world.until(
            lambda: f"{key} after {self.table.taken}", lambda: key in self.table.taken, _TAKEN_SECONDS
        )

    async def settled(self, limit: float = _SETTLED_SECONDS, look: float = _LOOK_SECONDS) -> None:
        """Wait until nothing is left to do. Raises AssertionError with what is."""
        try:
            async with asyncio.timeout(limit):
                while next(unsettled(self.world), None):  # noqa: ASYNC110 - a state of many objects
                    await asyncio.sleep(look)
        except TimeoutError:
            left = list(unsettled(self.world))
            raise AssertionError(
                f"still not as it must be after {limit:.0f} s: {left}; taken: {self.table.taken}; "
                f"{self.world.describe()}"
            ) from None

    def judge(self, ends: frozenset[Phase]) -> None:
        """Whether the plan has come to one of these ends, rightly, and nothing was broken on the way."""
        self.took += self.world.clock.monotonic()
        status = self.world.plan(PLAN)["status"]
        end = Phase(status["phase"])
        told = f"{status['message']}; taken: {self.table.taken}"
        assert not self.monitor.violations, f"{self.monitor.violations}; {told}"
        assert end in ends, f"the plan ended {end}, not {sorted(ends)}: {told}"
        changed = any(key[0] in HARDWARE for key in self.table.taken)
        modes = {self.world.machines[CHANGED].mode(gpu) for gpu in self.world.machines[CHANGED].gpus}
        if end is Phase.ROLLED_BACK or (end is Phase.FAILED and not changed):
            assert modes == {FIRST_MODE}, f"the plan ended {end}, and the GPUs are in {modes}: {told}"
        if end is Phase.FAILED and changed:
            (degraded,) = [one for one in status["conditions"] if one["type"] == "Degraded"]
            assert degraded["status"] == "True", told
            assert degraded["message"], told


def plan(world: World, script: Script) -> dict[str, object]:
    """The plan of a script, as a person writes it."""
    gpus = world.machines[CHANGED].gpus
    touched = gpus if script.to == MEMORY else gpus[:1]
    spec: dict[str, object] = {
        "node": CHANGED,
        "from": {"gpus": [{"bdf": bdf, "mode": FIRST_MODE} for bdf in touched]},
        "to": {"gpus": [{"bdf": bdf, "mode": script.to or FIRST_MODE} for bdf in touched]},
        "approval": "Manual",
        "approved": script.approved,
    }
    if script.to == STAY:
        spec["gain"] = {"gpus": 1}
    if script.cancelled:
        spec["rollback"] = True
    return {"metadata": {"name": PLAN}, "spec": spec}


@asynccontextmanager
async def running(seed: int = 1) -> AsyncIterator[Run]:
    """A run whose models are placed and whose plan is not there yet."""
    async with world(seed=seed) as made:
        with recorded(made.store) as table:
            run = Run(made, table)
            await run.settle_in()
            yield run


async def play(run: Run, case: Case) -> None:
    """The case, in a run that has settled. Raises AssertionError when something is not as it must be."""
    run.begin(SCRIPTS[case.at], case)
    await run.taken(case.at)
    await run.settled()
    assert run.killed_at == case.at
    run.judge(right_ends(case.at))


def right_ends(key: Key) -> frozenset[Phase]:
    """Where a plan ends that took this transition, when nothing else goes wrong afterwards."""
    target = TRANSITIONS[key]
    if target in TERMINAL:
        return frozenset({target})
    return frozenset({Phase.ROLLED_BACK if target is Phase.ROLLING_BACK else Phase.SUCCEEDED})
