import asyncio
import threading

import pytest

from controller.agent.library_worker import LibraryWorker, StillBusy


class Gate:
    """A call that hangs until it is opened. `done` lists what got through."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.done: list[str] = []

    def pass_through(self, name: str) -> str:
        self.entered.set()
        assert self.open.wait(60), "nobody opened"
        self.done.append(name)
        return name


async def entered(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.entered.wait, 60)


async def given_up(worker: LibraryWorker, gate: Gate, name: str) -> None:
    """A call that began and was given up: one that a busy machine did not begin in time is tried again."""
    while True:
        try:
            await worker.call(name, lambda: gate.pass_through(name), 0.05)
        except StillBusy:
            continue
        except TimeoutError:
            return


async def test_a_call_gives_its_result_from_another_thread() -> None:
    worker = LibraryWorker()
    assert await worker.call("asking", threading.get_ident, 60) != threading.get_ident()
    worker.close()


async def test_an_error_is_the_callers() -> None:
    worker = LibraryWorker()

    def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await worker.call("asking", fail, 60)
    assert await worker.call("asking again", lambda: 2, 60) == 2
    worker.close()


async def test_calls_are_made_in_order_one_at_a_time() -> None:
    worker, gate = LibraryWorker(), Gate()
    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(worker.call(name, lambda name=name: gate.pass_through(name), 60))  # type: ignore[misc]
            await asyncio.sleep(0)
        await entered(gate)
        gate.open.set()
    assert gate.done == ["a", "b", "c"]
    worker.close()


async def test_a_late_call_lets_its_caller_go_and_goes_on() -> None:
    worker, gate = LibraryWorker(), Gate()
    await given_up(worker, gate, "reload")
    gate.open.set()
    assert await worker.call("read", lambda: list(gate.done), 60) == ["reload"]
    worker.close()


async def test_a_call_that_did_not_get_its_turn_is_never_made() -> None:
    worker, gate = LibraryWorker(), Gate()
    await given_up(worker, gate, "reload")
    with pytest.raises(StillBusy, match="reload has not come back"):
        await worker.call("set", lambda: gate.pass_through("set"), 0.05)
    gate.open.set()
    assert await worker.call("read", lambda: list(gate.done), 60) == ["reload"]
    worker.close()


async def test_a_call_cancelled_before_its_turn_is_never_made() -> None:
    worker, gate = LibraryWorker(), Gate()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(worker.call("first", lambda: gate.pass_through("first"), 60))
        await entered(gate)
        second = tasks.create_task(worker.call("second", lambda: gate.pass_through("second"), 60))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        gate.open.set()
        await first
    assert await worker.call("read", lambda: list(gate.done), 60) == ["first"]
    worker.close()


def test_a_loop_that_is_gone_hears_nothing_and_the_thread_goes_on() -> None:
    worker, gate = LibraryWorker(), Gate()

    asyncio.run(given_up(worker, gate, "slow"))
    gate.open.set()
    assert asyncio.run(worker.call("next", lambda: list(gate.done), 60)) == ["slow"]
    worker.close()
