"""Waiting for items, in virtual time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.runtime.workqueue.queue import AsyncWorkQueue
from tests.fakes.clock import FakeClock, LoopClock, settle

pytestmark = pytest.mark.looptime


@pytest.fixture
async def queue() -> AsyncIterator[AsyncWorkQueue[str]]:
    made: AsyncWorkQueue[str] = AsyncWorkQueue(LoopClock())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run())
        yield made
        made.shut_down()


class CountingClock(LoopClock):
    """The loop's time, and how often somebody slept."""

    sleeps = 0

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        await super().sleep(seconds)


def elapsed() -> float:
    return asyncio.get_running_loop().time()


async def test_get_waits_for_an_add(queue: AsyncWorkQueue[str]) -> None:
    async with asyncio.TaskGroup() as tasks:
        getting = tasks.create_task(queue.get())
        await asyncio.sleep(1)
        assert not getting.done()
        queue.add("a")
    assert getting.result() == "a"


async def test_delayed_items_come_at_their_time(queue: AsyncWorkQueue[str]) -> None:
    started = elapsed()
    queue.add_after("late", 5)
    queue.add_after("soon", 2)
    taken = [(await queue.get(), round(elapsed() - started, 2)) for _ in range(2)]
    assert taken == [("soon", 2.0), ("late", 5.0)]


async def test_an_earlier_delay_interrupts_a_longer_one(queue: AsyncWorkQueue[str]) -> None:
    started = elapsed()
    queue.add_after("late", 100)
    await asyncio.sleep(1)
    queue.add_after("soon", 1)
    assert (await queue.get(), round(elapsed() - started, 2)) == ("soon", 2.0)


async def test_several_earlier_delays_in_one_breath(queue: AsyncWorkQueue[str]) -> None:
    for seconds in (9, 3, 6, 1):
        queue.add_after(str(seconds), seconds)
    assert [await queue.get() for _ in range(4)] == ["1", "3", "6", "9"]


async def test_all_that_is_due_at_once_reaches_all_who_wait(queue: AsyncWorkQueue[str]) -> None:
    async with asyncio.TaskGroup() as tasks:
        getting = [tasks.create_task(queue.get()) for _ in range(3)]
        for name in ("a", "b", "c"):
            queue.add_after(name, 4)
    assert {task.result() for task in getting} == {"a", "b", "c"}


async def test_what_a_getter_releases_beyond_its_own_item_reaches_those_who_wait() -> None:
    clock = FakeClock()
    queue: AsyncWorkQueue[str] = AsyncWorkQueue(clock)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(queue.get()) for _ in range(3)]
        for name in ("a", "b", "c"):
            queue.add_after(name, 1)
        await settle()
        clock.tick(1)  # due, and a worker that was busy until now asks before `run` looks
        first = await queue.get()
        await settle()
        taken = [task.result() for task in waiting if task.done()]
        queue.shut_down()
    assert (first, taken) == ("a", ["b", "c"])


async def test_what_is_due_while_all_workers_are_busy_is_no_busy_loop() -> None:
    clock = CountingClock()
    queue: AsyncWorkQueue[str] = AsyncWorkQueue(clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue.run())
        queue.add_after("a", 1)
        await asyncio.sleep(10)
        assert (clock.sleeps, queue.statistics().depth) == (1, 1)
        queue.shut_down()


async def test_failures_come_back_after_their_delay(queue: AsyncWorkQueue[str]) -> None:
    started = elapsed()
    for _ in range(4):
        queue.add_rate_limited("a")
        queue.done(str(await queue.get()))
    assert elapsed() - started == pytest.approx(0.005 + 0.01 + 0.02 + 0.04, abs=0.005)


async def test_a_cancelled_get_passes_its_wake_on(queue: AsyncWorkQueue[str]) -> None:
    async with asyncio.TaskGroup() as tasks:
        first, second = tasks.create_task(queue.get()), tasks.create_task(queue.get())
        await settle()
        queue.add("a")  # wakes the first, which is cancelled before it runs
        first.cancel()
    assert second.result() == "a"


async def test_an_item_added_while_worked_on_wakes_a_worker_at_done(queue: AsyncWorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    async with asyncio.TaskGroup() as tasks:
        getting = tasks.create_task(queue.get())
        queue.add("a")
        await settle()
        assert not getting.done()
        queue.done("a")
    assert getting.result() == "a"


async def test_shut_down_releases_everybody() -> None:
    queue: AsyncWorkQueue[str] = AsyncWorkQueue(LoopClock())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue.run())
        getting = [tasks.create_task(queue.get()) for _ in range(3)]
        queue.add_after("late", 1000)
        await settle()
        queue.shut_down()
    assert [task.result() for task in getting] == [None, None, None]
    assert elapsed() < 1


async def test_draining_ends_getters_when_the_last_item_is_given_out() -> None:
    queue: AsyncWorkQueue[str] = AsyncWorkQueue(LoopClock())
    queue.add("a")
    await queue.get()
    queue.add("a")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue.run())
        getting = [tasks.create_task(queue.get()) for _ in range(3)]
        queue.shut_down(drain=True)
        await settle()
        assert not any(task.done() for task in getting)
        queue.done("a")
        await settle()
        queue.done("a")
    assert sorted(str(task.result()) for task in getting) == ["None", "None", "a"]


async def test_time_is_the_clocks() -> None:
    clock = FakeClock()
    queue: AsyncWorkQueue[str] = AsyncWorkQueue(clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue.run())
        getting = tasks.create_task(queue.get())
        queue.add_after("a", 60)
        await clock.advance(59.9)
        assert not getting.done()
        await clock.advance(0.2)
        assert getting.result() == "a"
        queue.shut_down()
