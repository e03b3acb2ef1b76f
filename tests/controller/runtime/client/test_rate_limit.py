"""A burst is free, then requests come at the rate, in the order they asked."""

import asyncio

import pytest

from controller.runtime.client.rate_limit import RateLimiter, TokenBucket
from tests.fakes.clock import FakeClock, settle


@pytest.mark.parametrize(
    ("times", "want_delays"),
    [
        pytest.param([0, 0], [0, 0], id="a burst waits for nothing"),
        pytest.param([0, 0, 0, 0], [0, 0, 0.5, 1.0], id="each one more waits longer"),
        pytest.param([0, 0, 0, 10, 10, 10], [0, 0, 0.5, 0, 0, 0.5], id="a pause fills the bucket, and no more"),
        pytest.param([0, 0, 0.25], [0, 0, 0.25], id="what came back meanwhile counts"),
    ],
)
def test_two_a_second_with_a_burst_of_two(times: list[float], want_delays: list[float]) -> None:
    bucket = TokenBucket(2.0, 2, now=0.0)
    assert [bucket.take(now) for now in times] == pytest.approx(want_delays)


def test_a_token_given_back_is_there_for_the_next() -> None:
    bucket = TokenBucket(1.0, 1, now=0.0)
    assert [bucket.take(0.0), bucket.take(0.0)] == [0.0, 1.0]
    bucket.give_back()
    assert bucket.take(0.0) == 1.0


@pytest.mark.parametrize(("qps", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_rate_of_nothing_is_refused(qps: float, burst: int) -> None:
    with pytest.raises(ValueError, match="positive rate"):
        TokenBucket(qps, burst, now=0.0)


async def test_callers_come_in_the_order_they_asked() -> None:
    clock = FakeClock()
    limiter = RateLimiter(10.0, 1, clock)
    came: list[tuple[int, float]] = []
    started = clock.monotonic()

    async def ask(number: int) -> None:
        await limiter.wait()
        came.append((number, round(clock.monotonic() - started, 3)))

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(ask(number))
        await clock.advance(1)
    assert came == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


async def test_one_that_is_cancelled_leaves_its_token() -> None:
    clock = FakeClock()
    limiter = RateLimiter(1.0, 1, clock)
    await limiter.wait()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(limiter.wait())
        await settle()
        waiting.cancel()
        await settle()
        later = tasks.create_task(limiter.wait())
        await clock.advance(1)
        in_time = later.done()
        later.cancel()
    assert in_time


@pytest.mark.parametrize(("qps", "free"), [(5.0, 10), (0.1, 1)])
async def test_the_burst_is_twice_the_rate_unless_said(qps: float, free: int) -> None:
    clock = FakeClock()
    limiter = RateLimiter(qps, None, clock)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(limiter.wait()) for _ in range(free + 1)]
        await settle()
        done = sum(task.done() for task in waiting)
        waiting[-1].cancel()
    assert done == free
