"""An idle GPU is divided for a small model before it takes the whole of it, with somebody killed after each write on the
way: the model waits, the plan is made and carried out, the model is placed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from controller.repartition.phases import Phase
from controller.state.kinds import GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from tests.fakes.store import Write
from tests.fakes.virtual_loop import run_virtually
from tests.sweep.invariants import Monitor, unsettled
from tests.sweep.world import CHANGED, FIRST_MODE, OTHER, World, model, world

WRITERS = ("operator", f"agent-{CHANGED}")
BACK_SECONDS = 3.0
_LIMIT_SECONDS = 900.0
_UNTOLD = ("events", "leases")
"""What nobody decides by how far it has come."""
PARTS = 4
"""So many tests share the writes."""


@dataclass(slots=True)
class Killing:
    """Ends the writer of write number `at`, right after it; `count` is how many there were. At 0 nobody is killed."""

    world: World
    at: int
    count: int = 0

    def heard(self, write: Write) -> None:
        """A write, of whoever."""
        if write.who not in WRITERS or write.resource.plural in _UNTOLD:
            return
        self.count += 1
        if self.count == self.at:
            process = self.world.operator if write.who == "operator" else self.world.agents[CHANGED]
            process.kill()
            self.world.restart_after(process, BACK_SECONDS)


async def _divide(at: int) -> int:
    """Two small models come to a node of two idle GPUs; gives how many writes that took."""
    async with world(divide="First") as made:
        made.agents[CHANGED].start(made.tasks)
        made.operator.start(made.tasks)
        await made.until(lambda: "the node is known", lambda: _modes(made) == [FIRST_MODE] * 2)
        monitor, killing = Monitor(made), Killing(made, at)
        made.store.on_write.append(killing.heard)
        made.kubernetes.add(model("small", 2))
        await made.until(lambda: "\n".join(_left(made)), lambda: not list(_left(made)), _LIMIT_SECONDS)
        assert not monitor.violations, monitor.violations
        _judge(made)
        return killing.count


def _left(made: World) -> Iterator[str]:
    """What is not as it must be; of the other node nothing is known."""
    yield from (each for each in unsettled(made) if OTHER not in each)


def _modes(made: World) -> list[str]:
    machine = made.machines[CHANGED]
    return [machine.mode(gpu) for gpu in machine.gpus]


def _judge(made: World) -> None:
    """One GPU was divided, once, and both models are on it."""
    (plan,) = made.store.list(REPARTITION_PLANS)
    assert plan["status"]["phase"] == Phase.SUCCEEDED, plan["status"]
    (divided,) = {
        gpu for gpu, mode in zip(made.machines[CHANGED].gpus, _modes(made), strict=True) if mode != FIRST_MODE
    }
    places = [claim["status"]["allocation"]["devices"][0]["bdf"] for claim in made.store.list(GPU_PARTITION_CLAIMS)]
    assert places == [divided] * 2


@pytest.mark.parametrize("first", range(1, PARTS + 1))
def test_a_gpu_is_divided_once_whoever_is_killed_after_whichever_write(first: int) -> None:
    writes = run_virtually(_divide(0))
    assert writes > 10
    for at in range(first, writes + 1, PARTS):
        run_virtually(_divide(at))
