import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.layouts.search import Effort
from controller.reconcilers.gpu_partition_claim import cycle as cycles
from controller.repartition import joint
from controller.runtime.slices import SLICE_SECONDS
from tests.builders.claim import allocation, claim
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.controller.reconcilers.gpu_partition_claim.test_cycle import Cycle
from tests.fakes.clock import FakeClock

STEP_SECONDS = 0.001
CPX = ["CPX/NPS1"]


class StepClock(FakeClock):
    """Every look at it takes a millisecond, or what is given: as if each step did."""

    def __init__(self, step_seconds: float = STEP_SECONDS) -> None:
        super().__init__()
        self._step_seconds = step_seconds

    def monotonic(self) -> float:
        self.tick(self._step_seconds)
        return super().monotonic()


def small(count: int) -> list[Demand]:
    return [demand(f"s{n}", 20, modes=CPX, created_seconds=float(n)) for n in range(count)]


async def decide(scene: Cycle, *demands: Demand, meanwhile: Callable[[], None] = lambda: None) -> list[float]:
    """A cycle in slices; `meanwhile` happens once, at its first pause. How long others waited for each of their turns."""
    clock, gaps, done = scene.fed.clock, list[float](), False

    async def others() -> None:
        nonlocal done
        seen = clock.now()
        while True:
            await asyncio.sleep(0)
            gaps.append((clock.now() - seen).total_seconds())
            seen = clock.now()
            if not done and gaps[-1] > 0:
                done = True
                meanwhile()

    for each in demands:
        scene.cycle.submit(each)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(others())
        await asyncio.sleep(0)
        await tasks.create_task(scene.cycle.decide_in_slices(retry=True))
        watching.cancel()
    return gaps


def fed(*modes: str, clock: FakeClock | None = None) -> Cycle:
    scene = Cycle(*modes, clock=clock or StepClock())
    scene.allow_changes()
    return scene


async def test_others_have_their_turn_within_a_slice_and_a_step() -> None:
    scene = fed("SPX/NPS1", "SPX/NPS1")
    gaps = await decide(scene, *small(12))
    assert sum(gap > 0 for gap in gaps) > 5
    assert max(gaps) <= SLICE_SECONDS + 10 * STEP_SECONDS  # a step may ask for the time itself
    assert scene.take("s0").plan is not None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint, "FEW", Effort(rounds=20))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.sampled_from(["CPX/NPS1", "DPX/NPS1"]), st.sampled_from([0, 5]), st.integers(1, 2)), max_size=6
    ),
)
def test_what_is_chosen_in_slices_is_what_is_chosen_at_once(gpus: int, asked: list[tuple[str, int, int]]) -> None:
    demands = [
        demand(f"d{n}", 20, modes=[mode], priority=priority, count=count, created_seconds=float(n))
        for n, (mode, priority, count) in enumerate(asked)
    ]
    sliced, whole = fed(*["SPX/NPS1"] * gpus), fed(*["SPX/NPS1"] * gpus, clock=FakeClock())
    asyncio.run(decide(sliced, *demands))
    whole.decide(*demands, retry=True)
    names = [each.key.removeprefix("team-a/") for each in demands]
    assert [told(sliced, name) for name in names] == [told(whole, name) for name in names]


def told(scene: Cycle, name: str) -> object:
    outcome = scene.take(name)
    assert isinstance(outcome.decision, Unplaced)
    plan = outcome.plan and (outcome.plan.spec.node, outcome.plan.spec.to)
    return outcome.decision.reason, outcome.decision.refusals, outcome.no_plan and outcome.no_plan.reason, plan


async def test_a_place_that_comes_free_during_the_search_is_taken() -> None:
    scene = fed("SPX/NPS1")
    await decide(scene, *small(3), meanwhile=lambda: scene.fed.add_node("worker-1", gpu(0, "CPX/NPS1")))
    assert isinstance(scene.take("s0").decision, Placed)
    assert not list(scene.cluster.plan_table.values())


async def test_a_node_that_changes_during_the_search_is_judged_anew() -> None:
    scene = fed("SPX/NPS1")
    held = claim("other", status={"phase": "Bound", "allocation": allocation(of=gpu(0, "SPX/NPS1"))})
    await decide(scene, *small(3), meanwhile=lambda: scene.fed.put(scene.cluster.claims, held))
    assert scene.take("s0").plan is None


async def test_searches_that_never_hold_end_in_one_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles, "others_since", lambda *_: True)
    scene = fed("SPX/NPS1")
    await decide(scene, *small(3))
    assert scene.take("s0").plan is not None


async def test_a_claim_that_is_withdrawn_during_its_search_gets_nothing() -> None:
    scene = fed("SPX/NPS1")
    (only,) = small(1)
    await decide(scene, only, demand("other", 20, modes=CPX), meanwhile=lambda: scene.cycle.withdraw(only.key))
    assert scene.cycle.take(only.key) is None


async def test_who_comes_during_a_search_and_needs_none_is_placed_meanwhile() -> None:
    scene = fed("SPX/NPS1", "CPX/NPS4")
    scene.decide(demand("there", 16))
    came = demand("came", 16, created_seconds=9.0)
    with placed_in_order(scene) as order:
        await decide(scene, *small(8), meanwhile=lambda: scene.cycle.submit(came))
    assert order[0] == came.key


@pytest.mark.parametrize("decisions_in_a_slice", [2, 3, 4, 5, 6])
async def test_who_comes_during_a_cycle_and_who_is_decided_after_it_get_no_partition_twice(
    decisions_in_a_slice: int,
) -> None:
    scene = fed(*["CPX/NPS1"] * 4, clock=StepClock(STEP_SECONDS / decisions_in_a_slice))
    came = demand("came", 20, modes=CPX, created_seconds=99.0)
    asked = small(24)
    with placed_in_order(scene) as order:
        await decide(scene, *asked, meanwhile=lambda: scene.cycle.submit(came))
    assert came.key in order[1:-1]
    decided = [scene.take(each.key.removeprefix("team-a/")).decision for each in (*asked, came)]
    places = [(one.node.name, partition) for one in decided if isinstance(one, Placed) for partition in one.ids]
    assert len(set(places)) == len(places) == 25


async def test_who_comes_during_a_search_takes_no_idle_gpu_from_it() -> None:
    scene = fed("SPX/NPS1")
    came = demand("came", 150, created_seconds=9.0)
    await decide(scene, *small(3), meanwhile=lambda: scene.cycle.submit(came))
    assert scene.take("s0").plan is not None
    assert scene.cycle.take(came.key) is None


@contextmanager
def placed_in_order(scene: Cycle) -> Iterator[list[str]]:
    before = len(scene.woken)
    order: list[str] = []
    yield order
    order += scene.woken[before:]
