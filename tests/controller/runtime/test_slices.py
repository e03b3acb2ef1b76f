import asyncio
from collections.abc import Generator

import pytest

from controller.runtime.slices import TURNS, Slices
from tests.fakes.clock import FakeClock


def steps(clock: FakeClock, *seconds: float) -> Generator[None, None, str]:
    for each in seconds:
        clock.tick(each)
        yield
    return "found"


async def test_a_slice_ends_with_the_step_that_ends_after_its_time() -> None:
    clock, before = FakeClock(), 0.0
    lengths: list[float] = []

    async def others() -> None:
        nonlocal before
        while True:
            lengths.append(clock.monotonic() - before)
            before = clock.monotonic()
            await asyncio.sleep(0)

    before = clock.monotonic()
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(others())
        found = await tasks.create_task(Slices(clock, 0.02).run(steps(clock, *[0.003] * 100)))
        watching.cancel()
    assert found == "found"
    assert max(lengths) <= 0.02 + 0.003
    assert sum(lengths) == pytest.approx(0.3, abs=0.03)


async def test_others_have_several_turns_between_two_slices() -> None:
    clock, turns = FakeClock(), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    slices = Slices(clock, 1.0)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(others())
        await tasks.create_task(slices.run(steps(clock, 1, 1, 1)))
        watching.cancel()
    assert slices.pauses == 3
    assert slices.busy_seconds == pytest.approx(3)
    assert turns >= 3 * TURNS


async def test_what_ends_in_time_gives_no_way() -> None:
    slices = Slices(FakeClock())
    assert await slices.run(steps(FakeClock(), 0, 0)) == "found"
    assert slices.pauses == 0


async def test_a_failure_is_told_and_cancellation_closes_the_work() -> None:
    closed: list[bool] = []

    def endless() -> Generator[None, None, None]:
        try:
            while True:
                yield
        finally:
            closed.append(True)

    def failing() -> Generator[None, None, None]:
        yield
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Slices(FakeClock()).run(failing())
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(Slices(FakeClock(), 0.0).run(endless()))
        await asyncio.sleep(0)
        task.cancel()
    assert closed == [True]
