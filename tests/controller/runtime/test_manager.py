"""Start and stop in order, failures, grace and sync, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from controller.runtime.controller import Controller
from controller.runtime.election.fence import LeaseLost
from controller.runtime.manager import Manager
from controller.runtime.reconcile import Request, Result
from controller.runtime.runnable import RunnableCancelled
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock


class Piece:
    """A runnable that notes its start and end. `slow_stop`: seconds its end takes; `fail_after`: seconds."""

    def __init__(self, name: str, log: list[str], *, slow_stop: float = 0.0, fail_after: float | None = None) -> None:
        self._name, self._log = name, log
        self._slow_stop, self._fail_after = slow_stop, fail_after

    def __str__(self) -> str:
        return self._name

    async def run(self) -> None:
        self._log.append(f"+{self._name}")
        try:
            await asyncio.sleep(1e9 if self._fail_after is None else self._fail_after)
            raise RuntimeError(f"{self._name} broke")
        finally:
            await asyncio.sleep(self._slow_stop)
            self._log.append(f"-{self._name}")


class Server(Piece):
    """A piece that needs two seconds until it listens."""

    async def wait_started(self, timeout: float) -> None:
        await asyncio.sleep(2)
        self._log.append(f"{self._name} listens")


class Polite(Piece):
    """A piece that is asked to stop, and finishes its work."""

    def __init__(self, name: str, log: list[str], *, work: float) -> None:
        super().__init__(name, log)
        self._stopped = asyncio.Event()
        self._work = work

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        await self._stopped.wait()
        await asyncio.sleep(self._work)
        self._log.append(f"{self._name} finished")


@asynccontextmanager
async def running(manager: Manager, seconds: float) -> AsyncIterator[None]:
    """Run for `seconds`, then stop; the body runs before the stop."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(manager.run(stop))
        await asyncio.sleep(seconds)
        yield
        stop.set()


def elapsed() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.looptime
async def test_start_in_order_stop_in_reverse() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock())
    manager.add(Piece("other", log))
    manager.add_webhook(Server("webhook", log))
    manager.add_health(Server("health", log))
    async with running(manager, 3):
        assert log == ["+health", "health listens", "+webhook"]
        early = manager.ready
        await asyncio.sleep(10)
        assert (early, manager.ready) == (False, True)
    assert log[3:] == ["webhook listens", "+other", "-other", "-webhook", "-health"]
    assert not manager.ready


async def test_controllers_start_after_informers_are_synced_and_stop_first(api: FakeApiServer, client: Client) -> None:
    api.put(PODS, {"metadata": {"namespace": "n", "name": "p"}})
    seen: list[object] = []
    pods = Informer(client, PODS)

    async def reconcile(request: Request) -> Result:
        seen.append(pods.store.get(request.key))
        stop.set()
        return Result()

    controller = Controller("pods", reconcile)
    controller.for_(pods)
    stop, manager = asyncio.Event(), Manager()
    manager.add_controller(controller)
    manager.add_informer(pods)
    async with asyncio.timeout(30):
        await manager.run(stop)
    assert len(seen) == 1
    assert seen[0] is not None


@pytest.mark.looptime
async def test_a_failure_stops_the_rest_in_order_and_is_raised() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock())
    manager.add_health(Piece("health", log))
    manager.add_webhook(Piece("webhook", log))
    manager.add(Piece("other", log, fail_after=5))
    with pytest.raises(RuntimeError, match="other broke"):
        await manager.run(asyncio.Event())
    assert log[3:] == ["-other", "-webhook", "-health"]
    assert elapsed() == pytest.approx(5, abs=0.1)


@pytest.mark.looptime
async def test_a_failure_while_starting_stops_what_has_started() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock())
    manager.add_health(Piece("health", log))
    manager.add_webhook(Server("webhook", log, fail_after=1))
    manager.add(Piece("other", log))
    with pytest.raises(RuntimeError, match="webhook broke"):
        await manager.run(asyncio.Event())
    assert log == ["+health", "+webhook", "-webhook", "-health"]


@pytest.mark.looptime
async def test_informers_that_do_not_sync_are_fatal() -> None:
    client = Client(ClientConfiguration("http://127.0.0.1:1"))

    class Silent(Informer):
        async def run(self) -> None:
            await asyncio.Event().wait()

    manager = Manager(clock=LoopClock(), cache_sync_timeout=7)
    manager.add_informer(Silent(client, PODS))
    with pytest.raises(CacheNotSynced, match="pods: not listed within 7"):
        await manager.run(asyncio.Event())
    assert elapsed() == pytest.approx(7, abs=0.1)


@pytest.mark.looptime
async def test_the_sync_timeout_is_for_all_informers_together() -> None:
    client = Client(ClientConfiguration("http://127.0.0.1:1"))

    class Slow(Informer):
        async def run(self) -> None:
            await asyncio.sleep(5)
            self._first_list.set()
            await asyncio.Event().wait()

    manager = Manager(clock=LoopClock(), cache_sync_timeout=7)
    for _ in range(3):
        manager.add_informer(Slow(client, PODS))
    async with running(manager, 6):
        assert manager.ready


@pytest.mark.looptime
async def test_those_who_can_are_asked_to_stop_and_finish() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock(), stop_grace=30)
    manager.add(Polite("worker", log, work=20))
    async with running(manager, 1):
        pass
    assert log == ["worker finished"]
    assert elapsed() == pytest.approx(21, abs=0.1)


@pytest.mark.looptime
async def test_those_who_take_longer_than_the_grace_are_cancelled() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock(), stop_grace=10)
    manager.add_health(Piece("health", log))
    manager.add(Polite("worker", log, work=1000))
    async with running(manager, 1):
        pass
    assert log == ["+health", "-health"]
    assert elapsed() == pytest.approx(11, abs=0.1)


@pytest.mark.looptime
async def test_a_runnable_whose_work_is_done_stops_nobody() -> None:
    class Once:
        async def run(self) -> None:
            return

    manager = Manager(clock=LoopClock())
    manager.add(Once())
    async with running(manager, 100):
        assert manager.ready


@pytest.mark.looptime
async def test_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    class Odd:
        async def run(self) -> None:
            raise asyncio.CancelledError

        def __str__(self) -> str:
            return "odd"

    manager = Manager(clock=LoopClock())
    manager.add(Odd())
    with pytest.raises(RunnableCancelled, match="odd"):
        await manager.run(asyncio.Event())


class Grouping:
    """A runnable that survives the failure of a child while its group's block is left, and then does `after`.

    Up to Python 3.12 its task counts a request to cancel from then on.
    """

    def __init__(self, after: Callable[[], Awaitable[None]]) -> None:
        self._after = after

    def __str__(self) -> str:
        return "grouping"

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._fails())
        except* ValueError:
            pass
        await self._after()

    async def _fails(self) -> None:
        await asyncio.sleep(1)
        raise ValueError("x")


@pytest.mark.looptime
async def test_after_a_group_that_failed_a_cancellation_that_nobody_asked_for_is_a_failure() -> None:
    async def ends() -> None:
        raise asyncio.CancelledError

    manager = Manager(clock=LoopClock())
    manager.add(Grouping(ends))
    async with asyncio.timeout(100):
        with pytest.raises(RunnableCancelled, match="grouping"):
            await manager.run(asyncio.Event())


@pytest.mark.looptime
async def test_after_a_group_that_failed_a_runnable_is_cancelled_when_the_lease_is_lost() -> None:
    cancelled: list[float] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.append(elapsed())
            raise

    async def loses() -> None:
        await asyncio.sleep(4)
        raise LeaseLost("ns/l", "me", "", "x")

    manager = Manager(clock=LoopClock(), on_stuck=lambda _: None)
    manager.add(Grouping(waits))
    manager.add(Grouping(loses))
    with pytest.raises(LeaseLost):
        await manager.run(asyncio.Event())
    assert cancelled == [pytest.approx(5, abs=0.1)]


@pytest.mark.looptime
async def test_cancelling_the_manager_stops_in_order() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock())
    manager.add_health(Piece("health", log))
    manager.add(Piece("other", log, slow_stop=1))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(manager.run(asyncio.Event()))
        await asyncio.sleep(1)
        task.cancel()
    assert task.cancelled()
    assert log == ["+health", "+other", "-other", "-health"]


@pytest.mark.looptime
async def test_a_stop_while_starting() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock())
    manager.add_health(Server("health", log))
    manager.add(Piece("other", log))
    async with running(manager, 1):
        pass
    assert log == ["+health", "-health"]


@pytest.mark.looptime
async def test_of_two_failures_the_first_is_raised() -> None:
    log: list[str] = []
    manager = Manager(clock=LoopClock())
    manager.add(Piece("late", log, fail_after=5))
    manager.add(Piece("early", log, fail_after=3))
    with pytest.raises(RuntimeError, match="early broke"):
        await manager.run(asyncio.Event())
