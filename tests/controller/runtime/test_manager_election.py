"""A manager with an elector: what standbys run, the order of the end, and what a lost lease does. In virtual time."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.core import PODS
from controller.runtime.controller import Controller
from controller.runtime.election.fence import LeaseLost
from controller.runtime.manager import Manager
from controller.runtime.reconcile import Request, Result
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock

LOST = LeaseLost("ns/lease", "me", "other", "'other' holds it now")


class Piece:
    """A runnable that notes its start and end. `work`: seconds it goes on after it was asked to stop."""

    def __init__(self, name: str, log: list[str], *, work: float = 0.0) -> None:
        self._name, self._log, self._work = name, log, work
        self._stopped = asyncio.Event()

    def __str__(self) -> str:
        return self._name

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        self._log.append(f"+{self._name}")
        try:
            await self._stopped.wait()
            await asyncio.sleep(self._work)
        finally:
            self._log.append(f"-{self._name}")


class Deaf(Piece):
    """Ignores that it is cancelled, for an hour."""

    async def run(self) -> None:
        self._log.append(f"+{self._name}")
        end = elapsed() + 3600
        while elapsed() < end:
            try:
                await asyncio.sleep(end - elapsed())
            except asyncio.CancelledError:
                continue


class FakeElector:
    """Leads when told. `log` gets "+lease", "given back", or "abandoned" when it is cancelled."""

    def __init__(self, log: list[str]) -> None:
        self._log = log
        self._led, self._ended = asyncio.Event(), asyncio.Event()
        self._lost: LeaseLost | None = None

    def __str__(self) -> str:
        return "lease"

    def lead(self) -> None:
        self._led.set()

    def lose(self) -> None:
        self._lost = LOST
        self._led.set()
        self._ended.set()

    async def run(self) -> None:
        self._log.append("+lease")
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            self._log.append("abandoned")
            raise
        if self._lost is not None:
            raise self._lost
        self._log.append("given back")

    def stop(self) -> None:
        self._ended.set()

    async def wait_leading(self) -> None:
        await self._led.wait()
        if self._lost is not None:
            raise self._lost


class Case:
    """A manager with one piece in each group; `log` is what happened, `stuck` whom it gave up on."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.stuck: list[str] = []
        self.gave_up_at = 0.0
        self.elector = FakeElector(self.log)
        self.manager = Manager(elector=self.elector, clock=LoopClock(), stop_grace=10, on_stuck=self._give_up)
        self.stop = asyncio.Event()
        self.raised: BaseException | None = None
        self.ended_at = 0.0

    def add_pieces(self, *, work: float = 0.0) -> None:
        self.manager.add_leader_only(Piece("leader-only", self.log, work=work))
        self.manager.add(Piece("other", self.log, work=work))
        self.manager.add_webhook(Piece("webhook", self.log))
        self.manager.add_health(Piece("health", self.log))

    @asynccontextmanager
    async def running(self, *, leading: bool = True) -> AsyncIterator[None]:
        """Run for a second, then the body, then stop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run())
            if leading:
                self.elector.lead()
            await asyncio.sleep(1)
            yield
            self.stop.set()

    def _give_up(self, stuck: Sequence[str]) -> None:
        self.stuck.extend(stuck)
        self.gave_up_at = elapsed()

    async def _run(self) -> None:
        try:
            await self.manager.run(self.stop)
        except (Exception, LeaseLost) as error:  # noqa: BLE001 - looked at by the test
            self.raised = error
        self.ended_at = elapsed()


def elapsed() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.looptime
async def test_a_standby_is_ready_and_runs_all_but_what_only_the_leader_may() -> None:
    case = Case()
    case.add_pieces()
    async with case.running(leading=False):
        assert case.manager.ready
        assert case.log == ["+health", "+webhook", "+other", "+lease"]
        case.elector.lead()
        await asyncio.sleep(1)
        assert case.log[4:] == ["+leader-only"]


@pytest.mark.looptime
async def test_the_lease_is_given_back_when_all_else_has_stopped() -> None:
    case = Case()
    case.add_pieces(work=2)
    async with case.running():
        before = len(case.log)
    assert case.log[before:] == ["-leader-only", "-other", "-webhook", "-health", "given back"]
    assert case.raised is None


@pytest.mark.looptime
async def test_the_lease_does_not_outlive_what_it_was_held_for() -> None:
    class Broken:
        async def run(self) -> None:
            raise RuntimeError("a bug")

    case = Case()
    case.add_pieces()
    case.manager.add_leader_only(Broken())
    async with case.running():
        pass
    assert str(case.raised) == "a bug"
    assert case.log[-1] == "given back"


@pytest.mark.looptime
async def test_a_standby_stops() -> None:
    case = Case()
    case.add_pieces()
    async with case.running(leading=False):
        pass
    assert case.log[4:] == ["-other", "-webhook", "-health", "given back"]


@pytest.mark.looptime
@pytest.mark.parametrize("leading", [True, False], ids=["while leading", "on a standby"])
async def test_a_lost_lease_ends_all_at_once_without_grace(leading: bool) -> None:
    case = Case()
    case.add_pieces(work=1000)
    async with case.running(leading=leading):
        lost = elapsed()
        case.elector.lose()
        await asyncio.sleep(0.01)
    assert case.raised is LOST
    assert case.ended_at - lost < 0.01
    assert {"-other", "-webhook", "-health"} <= set(case.log)
    assert "given back" not in case.log


@pytest.mark.looptime
async def test_a_lease_lost_while_stopping_ends_the_grace() -> None:
    case = Case()
    case.add_pieces(work=8)
    async with case.running():
        case.stop.set()
        await asyncio.sleep(3)
        lost = elapsed()
        case.elector.lose()
        await asyncio.sleep(0.01)
    assert case.raised is LOST
    assert case.ended_at - lost < 0.01


@pytest.mark.looptime
async def test_a_fence_that_stops_a_reconcile_ends_the_process_and_is_no_failed_reconcile() -> None:
    case = Case()

    async def reconcile(_request: Request) -> Result:
        raise LOST

    controller = Controller("c", reconcile, clock=LoopClock())
    case.manager.add_controller(controller)
    case.add_pieces(work=1000)
    async with case.running():
        controller.enqueue(Request("ns", "a"))
        await asyncio.sleep(0.01)
    assert case.raised is LOST
    assert case.ended_at < 1.1
    assert controller.statistics().errors == 0


@pytest.mark.looptime
async def test_a_controller_that_needs_no_leader_runs_on_standbys() -> None:
    case, seen = Case(), list[Request]()

    async def reconcile(request: Request) -> Result:
        seen.append(request)
        return Result()

    controller = Controller("c", reconcile, clock=LoopClock())
    controller.enqueue(Request("ns", "a"))
    case.manager.add_controller(controller, needs_leader=False)
    async with case.running(leading=False):
        assert seen == [Request("ns", "a")]


@pytest.mark.looptime
async def test_who_ignores_its_cancellation_does_not_hold_the_process_and_the_lease_is_left_to_run_out() -> None:
    case = Case()
    case.manager.add_leader_only(Deaf("deaf", case.log))
    case.manager.add_health(Piece("health", case.log))
    async with case.running():
        pass
    assert case.stuck == ["deaf"]
    assert case.log[-2:] == ["-health", "abandoned"]


@pytest.mark.looptime
async def test_who_ignores_its_cancellation_after_a_lost_lease() -> None:
    case = Case()
    case.manager.add_leader_only(Deaf("deaf", case.log))
    async with case.running():
        case.elector.lose()
    assert case.stuck == ["deaf"]
    assert case.gave_up_at == pytest.approx(2, abs=0.1)
    assert case.raised is LOST


STUCK = """
import asyncio
from controller.runtime.manager import Manager

class Deaf:
    async def run(self):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

async def main():
    manager, stop = Manager(stop_grace=0.1), asyncio.Event()
    manager.add(Deaf())
    asyncio.get_running_loop().call_later(0.1, stop.set)
    await manager.run(stop)

asyncio.run(main())
"""


def test_by_default_who_ignores_its_cancellation_ends_with_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, timeout=60, check=False, cwd=Path.cwd()
    )
    assert ended.returncode == 1
    assert b"ignores its cancellation" in ended.stdout


async def test_a_new_leader_reads_its_informers_anew_before_it_reconciles(api: FakeApiServer, client: Client) -> None:
    case, listed = Case(), list[int]()
    pods = Informer(client, PODS, streaming=False)

    async def reconcile(_request: Request) -> Result:
        listed.append(api.count("list"))
        return Result()

    controller = Controller("c", reconcile)
    controller.enqueue(Request("ns", "a"))
    case.manager.add_informer(pods)
    case.manager.add_controller(controller)
    async with asyncio.timeout(10):
        async with case.running(leading=False):
            before = api.count("list")
            case.elector.lead()
            await asyncio.sleep(0.2)
    assert (before, listed) == (1, [2])
