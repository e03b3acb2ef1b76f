"""The real clock, and that the fakes keep its contract."""

import asyncio
from datetime import UTC, timedelta

import pytest

from controller.runtime.clock import Clock, RealClock
from tests.fakes.clock import START, FakeClock, LoopClock, SkippingClock, settle


@pytest.mark.parametrize("clock", [RealClock(), SkippingClock(), LoopClock()], ids=lambda clock: type(clock).__name__)
async def test_a_sleep_takes_its_time_on_its_own_clock(clock: Clock) -> None:
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.0099
    assert clock.now().tzinfo is UTC


async def test_the_fake_wakes_sleepers_in_order_at_their_time() -> None:
    clock, woken = FakeClock(), list[tuple[int, timedelta]]()

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.now() - START))

    async with asyncio.TaskGroup() as tasks:
        for seconds in (3, 1, 2):
            tasks.create_task(sleeper(seconds))
        await settle()
        assert clock.sleepers == 3
        await clock.advance(2.5)
        assert [seconds for seconds, _ in woken] == [1, 2]
        await clock.advance(1)
    assert woken[-1] == (3, timedelta(seconds=3))
    assert clock.now() - START == timedelta(seconds=3.5)
