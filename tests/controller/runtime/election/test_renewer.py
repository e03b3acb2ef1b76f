"""The elector on its own thread: it renews, loses and ends whatever the caller's event loop does. Real time, short."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.election.fence import LeaseLost
from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.lease_object import ApiLease
from controller.runtime.election.renewer import LOST_EXIT_CODE, LeaderElector, unique_identity
from tests.controller.runtime.election.api_thread import ApiThread
from tests.fakes import faults

# For what is not about losing a lease: nothing that the machine is busy with takes as long.
STEADY = LeaseTiming(duration=20, renew_deadline=15, retry_period=0.1)
QUICK = LeaseTiming(duration=1, renew_deadline=0.8, retry_period=0.1)
# What the machine may take on top, when others use it too. A request that is not given up would take longer still.
SLACK = 5.0
TOLD_SECONDS = 30


@pytest.fixture
def server() -> Iterator[ApiThread]:
    with ApiThread() as started:
        yield started


class Losses:
    """An `on_lost` that notes what it was given, by which thread, and when."""

    def __init__(self) -> None:
        self.told: list[LeaseLost] = []
        self.thread = ""
        self.at = 0.0
        self.happened = threading.Event()

    def __call__(self, lost: LeaseLost) -> None:
        self.told.append(lost)
        self.thread, self.at = threading.current_thread().name, time.monotonic()
        self.happened.set()


def elector(server: ApiThread, losses: Losses | None = None, **more: Any) -> LeaderElector:
    more = {"timing": STEADY, "identity": "me", **more}
    configuration = ClientConfiguration(server.api.url)
    return LeaderElector(configuration, namespace="ns", name="lease", on_lost=losses or Losses(), **more)


@asynccontextmanager
async def leading(candidate: LeaderElector) -> AsyncIterator[None]:
    """Run it, the body once it leads; stop it afterwards. A lease that was lost is not raised."""

    async def run() -> None:
        try:
            await candidate.run()
        except LeaseLost:
            return

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(run())
        await candidate.wait_leading()
        yield
        candidate.stop()


async def test_leads_writes_at_the_version_it_read_and_gives_back(server: ApiThread) -> None:
    candidate = elector(server)
    with pytest.raises(LeaseLost, match="not acquired yet"):
        candidate.check()
    async with leading(candidate):
        candidate.check()
        assert candidate.leading
        while len(server.writes()) < 4:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.02)
    with pytest.raises(LeaseLost, match="given back"):
        candidate.check()
    create, *replaced = server.writes()
    assert create.method == "POST"
    versions = [orjson.loads(write.body)["metadata"]["resourceVersion"] for write in replaced]
    assert len(versions) >= 3
    assert versions == [str(int(versions[0]) + number) for number in range(len(versions))]
    assert all(write.headers["User-Agent"].endswith("/leader-election") for write in replaced)
    assert (server.lease("ns/lease") or {})["spec"]["holderIdentity"] == ""


async def test_two_replicas_one_leader_and_the_other_follows_a_clean_stop(server: ApiThread) -> None:
    first, second = elector(server, identity="first"), elector(server, identity="second")
    async with leading(first), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(second.run())
        await asyncio.sleep(0.3)
        assert not second.leading
        first.stop()
        stopped = time.monotonic()
        await second.wait_leading()
        assert time.monotonic() - stopped < STEADY.duration / 2
        second.stop()
        await task


async def test_a_blocked_event_loop_keeps_the_lease(server: ApiThread) -> None:
    losses = Losses()
    timing = LeaseTiming(duration=2, renew_deadline=1.8, retry_period=0.1)
    candidate = elector(server, losses, timing=timing)
    async with leading(candidate):
        time.sleep(1.5 * timing.duration)  # noqa: ASYNC251 - the very thing
        candidate.check()
    assert losses.told == []


async def test_a_lost_lease_is_told_from_the_electors_thread_while_the_loop_is_blocked(server: ApiThread) -> None:
    losses = Losses()
    candidate = elector(server, losses, timing=QUICK)
    async with leading(candidate):
        server.stop()
        refused = time.monotonic()
        assert losses.happened.wait(TOLD_SECONDS)  # blocks the loop
        assert losses.at - refused <= QUICK.renew_deadline + SLACK
        assert losses.thread == "leader elector ns/lease"
        with pytest.raises(LeaseLost, match=r"not renewed within 0.8 s .*ConnectionFailed"):
            candidate.check()


async def test_a_hung_renewal_does_not_hang_the_elector(server: ApiThread) -> None:
    losses = Losses()
    candidate = elector(server, losses, timing=QUICK)
    async with leading(candidate):
        server.api.play(*[faults.silence()] * 9, on="PUT")
        hung = time.monotonic()
        assert await asyncio.to_thread(losses.happened.wait, TOLD_SECONDS)
        assert losses.at - hung <= QUICK.renew_deadline + SLACK


async def test_a_refused_connection_for_a_while_is_survived(server: ApiThread) -> None:
    losses = Losses()
    candidate = elector(server, losses, timing=LeaseTiming(3, 2.5, 0.1))
    async with leading(candidate):
        server.stop()
        await asyncio.sleep(0.5)
        server.start()
        await asyncio.sleep(2.6)
        candidate.check()
    assert losses.told == []


async def test_another_holder_is_told_at_once(server: ApiThread) -> None:
    losses = Losses()
    async with leading(elector(server, losses)):
        server.put({"metadata": {"namespace": "ns", "name": "lease"}, "spec": {"holderIdentity": "thief"}})
        assert await asyncio.to_thread(losses.happened.wait, TOLD_SECONDS)
    assert [(lost.lease, lost.identity, lost.holder) for lost in losses.told] == [("ns/lease", "me", "thief")]


async def test_a_crash_of_the_thread_is_a_lost_lease(server: ApiThread, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> str:
        raise TypeError("a bug")

    losses = Losses()
    candidate = elector(server, losses)
    async with leading(candidate):
        monkeypatch.setattr(ApiLease, "replace", broken)
        assert await asyncio.to_thread(losses.happened.wait, TOLD_SECONDS)
        with pytest.raises(LeaseLost, match=r"its thread crashed: TypeError\('a bug'\)"):
            candidate.check()
    assert [type(lost.__cause__) for lost in losses.told] == [TypeError]


async def test_a_client_that_cannot_be_made_is_a_lost_lease(server: ApiThread) -> None:
    losses = Losses()
    configuration = ClientConfiguration("https://127.0.0.1:1", ca=b"rubbish")
    candidate = LeaderElector(configuration, namespace="ns", name="lease", on_lost=losses)
    with pytest.raises(LeaseLost, match="its thread crashed"):
        await candidate.run()
    with pytest.raises(LeaseLost, match="its thread crashed"):
        await candidate.wait_leading()


async def test_stopping_before_it_runs(server: ApiThread) -> None:
    candidate = elector(server)
    candidate.stop()
    async with asyncio.timeout(30):
        await candidate.run()
    assert server.api.seen == []


async def test_cancelling_closes_the_fence_and_leaves_the_lease_to_run_out(server: ApiThread) -> None:
    losses = Losses()
    candidate = elector(server, losses)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(candidate.run())
        await candidate.wait_leading()
        task.cancel()
    with pytest.raises(LeaseLost, match="cancelled"):
        candidate.check()
    assert (server.lease("ns/lease") or {})["spec"]["holderIdentity"] == "me"
    assert losses.told == []
    _wait(lambda: not any(thread.name == str(candidate) for thread in threading.enumerate()))


async def test_the_gauge_says_who_leads(server: ApiThread) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])

    def status() -> dict[str, float]:
        data = reader.get_metrics_data()
        assert data is not None
        # beside what its client counts
        found = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
        metric = found["leader_election_master_status"]
        return {str(point.attributes["name"]): point.value for point in metric.data.data_points}  # type: ignore[union-attr,index]

    candidate = elector(server, meter=provider.get_meter("test"))
    assert status() == {"lease": 0}
    async with leading(candidate):
        assert status() == {"lease": 1}
    assert status() == {"lease": 0}
    provider.shutdown()


async def test_what_others_wrote_into_the_lease_is_kept(server: ApiThread) -> None:
    metadata = {"namespace": "ns", "name": "lease", "labels": {"app": "x"}}
    server.put({"metadata": metadata, "spec": {"strategy": "OldestEmulationVersion"}})
    async with leading(elector(server)):
        kept = server.lease("ns/lease") or {}
    assert kept["metadata"]["labels"] == {"app": "x"}
    assert kept["spec"]["strategy"] == "OldestEmulationVersion"


def test_an_identity_is_the_host_and_something_unique() -> None:
    rng = Random(1)
    first, second = unique_identity(rng), unique_identity(rng)
    assert first != second
    assert first.startswith(f"{os.uname().nodename}_")


PROGRAM = """
import asyncio, os, sys, time
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.renewer import LeaderElector

def fill_output():
    os.set_blocking(1, False)
    try:
        while True:
            os.write(1, b" ")
    except BlockingIOError:
        os.set_blocking(1, True)

async def main():
    timing = LeaseTiming(1, 0.8, 0.1)
    elector = LeaderElector(ClientConfiguration(sys.argv[1]), namespace="ns", name="lease", timing=timing)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(elector.run())
        await elector.wait_leading()
        {then}
        time.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("then", "wanted_output"),
    [
        ("pass", b"lease lost; the process ends"),
        ("fill_output()", b""),
    ],
    ids=["with a log line", "also when nobody reads its output any more"],
)
def test_by_default_a_lost_lease_ends_the_process(server: ApiThread, then: str, wanted_output: bytes) -> None:
    command = [sys.executable, "-c", PROGRAM.format(then=then), server.api.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd()) as process:
        _wait(lambda: len(server.writes()) > 2)
        server.stop()
        lost = time.monotonic()
        assert process.wait(10) == LOST_EXIT_CODE
        assert time.monotonic() - lost < QUICK.renew_deadline + 1.0 + SLACK  # a second for the log line
        assert process.stdout is not None
        assert wanted_output in process.stdout.read()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
