"""Reconciles that use a TaskGroup: what its children do costs no worker, and a real cancellation still ends each.

Up to Python 3.12 a group whose child fails while its block is left leaves a request to cancel with the task.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from controller.runtime.controller import Controller
from controller.runtime.election.fence import LeaseLost
from controller.runtime.reconcile import Request, Result
from tests.fakes.clock import LoopClock

pytestmark = pytest.mark.looptime

A, B = Request("ns", "a"), Request("ns", "b")
LOST = LeaseLost("ns/lease", "me", "other", "not renewed")
Reconcile = Callable[[Request], Awaitable[Result]]


async def fail_with(error: BaseException) -> None:
    await asyncio.sleep(0.001)
    raise error


def grouping(*errors: BaseException, waits_inside: bool, catches: bool = False, hangs: float = 0.0) -> Reconcile:
    """A reconcile of which children fail with `errors`, while its block waits or is being left."""

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            for error in errors:
                tasks.create_task(fail_with(error))
            await asyncio.sleep(10 if waits_inside else 0)

    async def reconcile(request: Request) -> Result:
        if request == A:
            try:
                await group()
            except* ValueError:
                if not catches:
                    raise
            await asyncio.sleep(hangs)
        return Result()

    return reconcile


async def ran(controller: Controller, *requests: Request, seconds: float = 0.1) -> asyncio.Task[None]:
    """The task of its run, `seconds` after it was given `requests`."""
    task = asyncio.get_running_loop().create_task(controller.run())
    for request in requests:
        controller.enqueue(request)
    await asyncio.sleep(seconds)
    return task


async def stopped(controller: Controller, task: asyncio.Task[None]) -> None:
    controller.stop()
    await asyncio.wait([task], timeout=10)
    assert task.done()
    await task


POSITIONS = [pytest.param(True, id="while its block waits"), pytest.param(False, id="while its block is left")]


@pytest.mark.parametrize("waits_inside", POSITIONS)
async def test_a_child_that_fails_costs_no_worker(waits_inside: bool) -> None:
    reconcile = grouping(ValueError("x"), waits_inside=waits_inside)
    controller = Controller("c", reconcile, clock=LoopClock(), longest_delay=0.005)
    task = await ran(controller, A, B)
    found = controller.statistics()
    assert found.successes == 1  # the only worker went on to the second request
    assert found.errors >= 5
    await stopped(controller, task)


@pytest.mark.parametrize("waits_inside", POSITIONS)
async def test_a_child_whose_failure_is_caught_makes_no_failed_reconcile(waits_inside: bool) -> None:
    controller = Controller("c", grouping(ValueError("x"), waits_inside=waits_inside, catches=True), clock=LoopClock())
    task = await ran(controller, A, B)
    assert (controller.statistics().successes, controller.statistics().errors) == (2, 0)
    await stopped(controller, task)


@pytest.mark.parametrize("waits_inside", POSITIONS)
async def test_one_that_hangs_after_such_a_child_is_cut_off_as_late(waits_inside: bool) -> None:
    reconcile = grouping(ValueError("x"), waits_inside=waits_inside, catches=True, hangs=100)
    controller = Controller("c", reconcile, clock=LoopClock(), reconcile_timeout=5)
    task = await ran(controller, A, seconds=6)
    assert (controller.statistics().timeouts, controller.statistics().errors) == (1, 1)
    await stopped(controller, task)


@pytest.mark.parametrize("waits_inside", POSITIONS)
async def test_a_real_cancellation_ends_the_worker_at_once(waits_inside: bool) -> None:
    reconcile = grouping(ValueError("x"), waits_inside=waits_inside, catches=True, hangs=100)
    controller = Controller("c", reconcile, clock=LoopClock())
    task = await ran(controller, A, seconds=1)
    task.cancel()
    await asyncio.wait([task], timeout=1)
    assert task.cancelled()
    assert (controller.statistics().errors, controller.statistics().active) == (0, 0)


async def test_a_cancellation_that_it_brings_upon_itself_costs_no_worker() -> None:
    async def reconcile(request: Request) -> Result:
        task = asyncio.current_task()
        assert task is not None
        if request == A:
            task.cancel()
        await asyncio.sleep(0.001)
        return Result()

    controller = Controller("c", reconcile, clock=LoopClock())
    task = await ran(controller, A, B)
    assert controller.statistics().successes == 1
    assert controller.statistics().errors >= 1
    await stopped(controller, task)


@pytest.mark.parametrize("waits_inside", POSITIONS)
@pytest.mark.parametrize("others", [[], [ValueError("x")]], ids=["alone", "with another failure"])
async def test_a_lost_lease_in_a_child_ends_the_controller(waits_inside: bool, others: list[Exception]) -> None:
    controller = Controller("c", grouping(*others, LOST, waits_inside=waits_inside), clock=LoopClock(), workers=2)
    task = await ran(controller, A)
    assert task.done()
    failure = task.exception()
    assert isinstance(failure, BaseExceptionGroup)
    assert failure.subgroup(LeaseLost) is not None
    assert (controller.statistics().errors, controller.statistics().queue.retries) == (0, 0)


async def test_when_one_worker_ends_the_controller_the_others_do_not_take_their_cancellation_for_a_failure() -> None:
    async def reconcile(request: Request) -> Result:
        if request == A:
            await fail_with(LOST)
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return Result()  # keeps it to itself
        return Result()

    controller = Controller("c", reconcile, clock=LoopClock(), workers=3)
    task = await ran(controller, A, B, Request("ns", "c"))
    assert task.done()
    assert isinstance(task.exception(), BaseExceptionGroup)
    assert controller.statistics().errors == 0


async def test_all_tasks_cancelled_at_once_as_at_the_end_of_a_loop_is_no_failure() -> None:
    controller = Controller("c", grouping(waits_inside=False, hangs=100), clock=LoopClock())
    task = await ran(controller, A)
    for each in sorted(
        asyncio.all_tasks() - {asyncio.current_task()}, key=lambda found: "worker" not in found.get_name()
    ):
        each.cancel()
    await asyncio.wait([task], timeout=1)
    assert task.cancelled()
    assert controller.statistics().errors == 0
