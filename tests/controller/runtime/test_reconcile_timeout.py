"""Time limits: one watcher for all workers, with the rules of asyncio.timeout."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controller.runtime.reconcile_timeout import ReconcileTimeout, TimeLimit, TimeLimits

pytestmark = pytest.mark.looptime


@asynccontextmanager
async def watched(seconds: float | None) -> AsyncIterator[TimeLimits]:
    limits = TimeLimits(seconds)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(limits.run())
        yield limits
        watching.cancel()


def mine(limits: TimeLimits) -> TimeLimit:
    task = asyncio.current_task()
    assert task is not None
    return limits.of_worker(task)


def elapsed() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("idle", [0.0, 3.0, 7.5])
async def test_each_use_has_its_own_time(idle: float) -> None:
    async with watched(5) as limits:
        limit = mine(limits)
        for _ in range(3):
            await asyncio.sleep(idle)
            started = elapsed()
            with pytest.raises(ReconcileTimeout, match="not done within 5 s"), limit:
                await asyncio.sleep(1000)
            assert elapsed() - started == pytest.approx(5, abs=0.01)


async def test_what_ends_in_time_is_left_alone() -> None:
    async with watched(5) as limits:
        limit = mine(limits)
        for _ in range(10):
            with limit:
                await asyncio.sleep(4.9)
        await asyncio.sleep(10)


async def test_of_many_workers_only_the_late_ones_are_cut_off() -> None:
    ended: dict[int, float] = {}

    async def work(number: int) -> None:
        limit = mine(limits)
        await asyncio.sleep(number)
        try:
            with limit:
                await asyncio.sleep(2 if number % 2 else 100)
        except ReconcileTimeout:
            ended[number] = round(elapsed() - started, 2)

    async with watched(5) as limits:
        started = elapsed()
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(work(number))
    assert ended == pytest.approx({0: 5.0, 2: 7.0, 4: 9.0}, abs=0.01)


async def test_one_that_ignores_its_end_is_asked_once_and_goes_on() -> None:
    asked = 0
    async with watched(5) as limits:
        with mine(limits):
            for _ in range(3):
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    asked += 1
        assert asked == 1
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_an_error_of_its_own_is_kept() -> None:
    async def wraps() -> None:
        with mine(limits):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError as error:
                raise ValueError("mine") from error

    async with watched(5) as limits:
        with pytest.raises(ValueError, match="mine"):
            await wraps()


async def test_a_cancellation_from_outside_at_the_same_time_wins() -> None:
    async def work() -> None:
        with mine(limits):
            await asyncio.sleep(100)

    async with watched(5) as limits, asyncio.TaskGroup() as tasks:
        worker = tasks.create_task(work())
        await asyncio.sleep(1)
        limits._limits[0].expire()
        worker.cancel()
    assert worker.cancelled()


async def test_no_limit() -> None:
    limits = TimeLimits(None)
    await limits.run()
    with mine(limits):
        await asyncio.sleep(100_000)
