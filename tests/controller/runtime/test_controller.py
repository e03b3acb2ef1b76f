"""Controllers: workers, retries, results, timeouts and isolation, in virtual time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from controller.runtime.controller import Controller
from controller.runtime.outcome import Outcome
from controller.runtime.reconcile import Request, Result, TerminalError
from controller.runtime.source import Handler
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock, SkippingClock

A, B = Request("ns", "a"), Request("ns", "b")

Reconcile = Callable[[Request], Awaitable[Result]]


class Script:
    """A reconcile that plays one outcome a call (the last one again and again) and notes when it ran."""

    def __init__(self, *outcomes: Result | BaseException | float) -> None:
        self._outcomes = list(outcomes) or [Result()]
        self.runs: list[tuple[str, float]] = []

    async def __call__(self, request: Request) -> Result:
        self.runs.append((request.name, round(asyncio.get_running_loop().time(), 3)))
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, float):
            await asyncio.sleep(outcome)
            return Result()
        return outcome


@asynccontextmanager
async def running(reconcile: Reconcile, *, workers: int = 1, timeout: float | None = 60.0) -> AsyncIterator[Controller]:
    made = Controller("test", reconcile, workers=workers, clock=LoopClock(), reconcile_timeout=timeout)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(made.run())
        yield made
        made.stop()


def times(script: Script) -> list[float]:
    return [when for _, when in script.runs]


@pytest.mark.looptime
async def test_a_success_waits_for_the_next_event() -> None:
    script = Script()
    async with running(script) as controller:
        controller.enqueue(A)
        await asyncio.sleep(1000)
    assert script.runs == [("a", 0.0)]
    assert controller.statistics().successes == 1


@pytest.mark.looptime
async def test_a_failure_is_retried_with_growing_delays_until_it_succeeds() -> None:
    script = Script(ValueError("x"), ValueError("x"), ValueError("x"), Result())
    async with running(script) as controller:
        controller.enqueue(A)
        await asyncio.sleep(1)
    assert times(script) == pytest.approx([0, 0.005, 0.015, 0.035])
    found = controller.statistics()
    assert (found.errors, found.successes, found.queue.failing) == (3, 1, 0)


@pytest.mark.looptime
async def test_a_terminal_error_is_not_retried() -> None:
    script = Script(TerminalError("no such model"))
    async with running(script) as controller:
        controller.enqueue(A)
        await asyncio.sleep(1000)
    assert len(script.runs) == 1
    assert (controller.statistics().terminal, controller.statistics().errors) == (1, 1)


@pytest.mark.looptime
async def test_requeue_after_runs_again_and_forgets_failures() -> None:
    script = Script(ValueError("x"), Result(requeue_after=30), ValueError("x"), Result())
    async with running(script) as controller:
        controller.enqueue(A)
        await asyncio.sleep(100)
    assert times(script) == pytest.approx([0, 0.005, 30.005, 30.01])
    assert controller.statistics().results[Outcome.REQUEUE_AFTER] == 1


@pytest.mark.looptime
async def test_requeue_runs_again_after_a_backoff_and_is_no_error() -> None:
    script = Script(Result(requeue=True), Result(requeue=True), Result(requeue=True), Result())
    async with running(script) as controller:
        controller.enqueue(A)
        await asyncio.sleep(1)
    assert times(script) == pytest.approx([0, 0.005, 0.015, 0.035])
    found = controller.statistics()
    assert (found.results[Outcome.REQUEUE], found.errors, found.queue.retries, found.queue.failing) == (3, 0, 3, 0)


@pytest.mark.looptime
async def test_an_event_takes_the_place_of_a_requeue_and_its_run_decides_anew() -> None:
    script = Script(Result(requeue_after=30), Result(requeue_after=50), Result())
    async with running(script) as controller:
        controller.enqueue(A)
        await asyncio.sleep(10)
        controller.enqueue(A)
        await asyncio.sleep(100)
    assert times(script) == [0, 10, 60]


@pytest.mark.looptime
async def test_a_request_for_later_comes_at_its_time() -> None:
    script = Script()
    async with running(script) as controller:
        controller.enqueue_after(A, 7)
        await asyncio.sleep(100)
    assert times(script) == [7]


@pytest.mark.looptime
async def test_a_reconcile_that_hangs_is_cut_off_and_retried() -> None:
    script = Script(1000.0, Result())
    async with running(script, timeout=5) as controller:
        controller.enqueue(A)
        await asyncio.sleep(20)
    assert times(script) == pytest.approx([0, 5.005], abs=0.002)
    assert (controller.statistics().timeouts, controller.statistics().errors) == (1, 1)


@pytest.mark.looptime
async def test_without_a_timeout_a_reconcile_may_take_hours() -> None:
    script = Script(10_000.0)
    async with running(script, timeout=None) as controller:
        controller.enqueue(A)
        await asyncio.sleep(10_001)
    assert controller.statistics().successes == 1


@pytest.mark.looptime
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(RuntimeError("bug"), id="an exception"),
        pytest.param(BaseExceptionGroup("several", [ValueError("bug")]), id="an exception group"),
        pytest.param(asyncio.CancelledError(), id="a cancellation of its own"),
        pytest.param(BaseExceptionGroup("all", [asyncio.CancelledError()]), id="a group of cancellations"),
        pytest.param(TimeoutError(), id="a timeout of its own"),
    ],
)
async def test_no_failure_ends_the_only_worker(failure: BaseException) -> None:
    script = Script(failure, Result())
    async with running(script) as controller:
        controller.enqueue(A)
        controller.enqueue(B)
        await asyncio.sleep(1)
    assert Counter(name for name, _ in script.runs) == {"a": 2, "b": 1}
    assert controller.statistics().timeouts == 0


@pytest.mark.looptime
async def test_workers_share_the_requests_and_never_one_request() -> None:
    active: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def reconcile(request: Request) -> Result:
        for name in (request.name, "all"):
            active[name] += 1
            most[name] = max(most[name], active[name])
        await asyncio.sleep(1)
        active[request.name] -= 1
        active["all"] -= 1
        return Result()

    async with running(reconcile, workers=32) as controller:
        for _ in range(3):
            for number in range(200):
                controller.enqueue(Request("ns", str(number)))
            await asyncio.sleep(0.5)
        await asyncio.sleep(60)
        assert controller.statistics().queue.depth == 0
    assert most.pop("all") == 32
    assert set(most.values()) == {1}
    assert controller.statistics().active == 0


@pytest.mark.looptime
async def test_stop_lets_a_reconcile_finish_and_starts_no_more() -> None:
    script = Script(10.0)
    async with running(script) as controller:
        controller.enqueue(A)
        controller.enqueue(B)
        await asyncio.sleep(1)
    assert script.runs == [("a", 0.0)]
    assert controller.statistics().successes == 1


@pytest.mark.looptime
async def test_stop_with_drain_reconciles_what_is_ready_and_retries_nothing() -> None:
    script = Script(ValueError("x"), 10.0)
    async with running(script) as controller:
        controller.enqueue_after(Request("ns", "late"), 5)
        controller.enqueue(A)
        controller.enqueue(B)
        controller.stop(drain=True)
        controller.enqueue(Request("ns", "new"))
        await asyncio.sleep(20)
    assert [name for name, _ in script.runs] == ["a", "b"]
    assert (controller.statistics().errors, controller.statistics().successes) == (1, 1)


@pytest.mark.looptime
async def test_a_second_stop_drops_what_is_left_of_a_drain() -> None:
    script = Script(10.0)
    async with running(script) as controller:
        controller.enqueue(A)
        controller.enqueue(B)
        controller.stop(drain=True)
        await asyncio.sleep(1)
    assert [name for name, _ in script.runs] == ["a"]


@pytest.mark.looptime
async def test_cancelling_cancels_the_reconcile() -> None:
    script = Script(1000.0)
    controller = Controller("test", script, clock=LoopClock())
    controller.enqueue(A)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(controller.run())
        await asyncio.sleep(1)
        task.cancel()
    assert task.cancelled()
    assert controller.statistics().errors == 0


@pytest.mark.looptime
async def test_a_reconcile_that_keeps_the_cancellation_to_itself_does_not_keep_its_worker() -> None:
    async def reconcile(request: Request) -> Result:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return Result(requeue_after=0)
        return Result()

    controller = Controller("test", reconcile, clock=LoopClock())
    controller.enqueue(A)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(controller.run())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)
        assert task.cancelled()


async def test_a_backlog_that_waits_for_nothing_lets_others_run() -> None:
    turns: list[int] = []

    async def reconcile(request: Request) -> Result:
        clock.tick(0.001)
        return Result()

    clock = SkippingClock()
    controller = Controller("test", reconcile, clock=clock)
    for number in range(100):
        controller.enqueue(Request("ns", str(number)))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(controller.run())
        while controller.statistics().successes < 100:
            turns.append(controller.statistics().successes)
            await asyncio.sleep(0)
        controller.stop()
    assert len(set(turns)) >= 20  # 100 ms of work in turns of 5 ms


@pytest.mark.looptime
async def test_it_waits_for_the_informers_and_gives_up() -> None:
    client = Client(ClientConfiguration("http://127.0.0.1:1"))
    controller = Controller("test", Script(), sync_timeout=3, clock=LoopClock())
    controller.for_(Informer(client, PODS))
    with pytest.raises(CacheNotSynced, match="within 3 s"):
        await controller.run()


async def test_events_become_requests(api: FakeApiServer, client: Client) -> None:
    seen: list[tuple[Request, EventType | None]] = []
    kinds: dict[str, EventType] = {}

    def map_event(event: StoreEvent[Any]) -> list[Request]:
        kinds[event.key] = event.type
        return [Request.of(event.key)]

    async def reconcile(request: Request) -> Result:
        seen.append((request, kinds.get(request.key)))
        return Result()

    api.put(PODS, {"metadata": {"namespace": "ns", "name": "a"}})
    pods, controller = Informer(client, PODS), Controller("pods", reconcile)
    controller.watches(pods, map_event)
    async with asyncio.TaskGroup() as tasks:
        informing = tasks.create_task(pods.run())
        tasks.create_task(controller.run())
        await _until(lambda: len(seen) == 1)
        api.remove(PODS, "ns/a")
        await _until(lambda: len(seen) == 2)
        controller.stop()
        informing.cancel()
    assert seen == [(A, EventType.ADDED), (A, EventType.DELETED)]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.002)


@pytest.mark.parametrize(
    ("options", "want"),
    [
        pytest.param({"workers": 0}, "workers 0 of controller 'x'", id="no workers"),
        pytest.param({"reconcile_timeout": 0}, "reconcile_timeout 0 of controller 'x'", id="no time"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], want: str) -> None:
    with pytest.raises(ValueError, match=want):
        Controller("x", Script(), **options)


@pytest.mark.looptime
async def test_a_live_change_overtakes_a_backlog_of_initial_objects() -> None:
    class Objects:
        """A source of 10,000 objects that were there before."""

        def add_handler(self, handler: Handler) -> None:
            self.tell = handler
            for number in range(10_000):
                handler(event(EventType.ADDED, number, None, "1"))

        async def wait_synced(self, timeout: float) -> None:
            pass

    def event(kind: EventType, number: int, old: str | None, new: str) -> StoreEvent[Any]:
        before, after = ({"metadata": {"resourceVersion": version}} if version else None for version in (old, new))
        return StoreEvent(kind, f"ns/{number}", before, after, initial=old is None)

    script, objects = Script(0.01), Objects()
    async with running(script, workers=4) as controller:
        controller.for_(objects)
        await asyncio.sleep(1)
        for number in (9_999, 0):
            objects.tell(event(EventType.MODIFIED, number, "1", "2"))
        changed = asyncio.get_running_loop().time()
        await asyncio.sleep(30)
    started = {name: [when for ran, when in script.runs if ran == name] for name in ("0", "9999")}
    assert len(started["9999"]) == 1  # its first and its changed state in one
    assert len(started["0"]) == 2
    assert all(times[-1] - changed <= 0.011 for times in started.values())
    assert len(script.runs) == 10_001
