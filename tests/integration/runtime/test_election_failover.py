"""Replicas as processes on a real API server: who follows a leader that dies, ends or stalls, and when."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from controller.runtime.election.lease import LeaseTiming
from e2e.plane import Plane
from tests.integration.runtime.elections import Elections, audited, elections

pytestmark = [pytest.mark.plane, pytest.mark.timeout(120)]

TIMING = LeaseTiming(duration=4, renew_deadline=3, retry_period=0.5)
# A start, and the first look, on a machine that others use as well.
START_SECONDS = 20.0


@pytest.fixture
async def running(plane: Plane, namespace: str, tmp_path: Path) -> AsyncIterator[Elections]:
    async with elections(plane, namespace, tmp_path) as started:
        yield started


async def two_replicas(running: Elections, election: str) -> str:
    """Start two; the identity of the one that leads, once it has done so for a while."""
    for _ in range(2):
        await running.start(election, TIMING)
    led = await running.leader(election, within=START_SECONDS)
    await asyncio.sleep(2 * TIMING.retry_period)
    return led.holder


async def test_a_killed_leader_is_followed_within_duration_and_retry(running: Elections) -> None:
    first = await two_replicas(running, "killed")
    running.process(first).send(signal.SIGKILL)
    killed = datetime.now(UTC)
    limit = TIMING.duration + TIMING.retry_period
    second = await running.leader("killed", other_than=first, within=limit + 2)
    took = (second.since - killed).total_seconds()
    print(f"\nleader killed: the next one led after {took:.2f} s (limit {limit} s)")
    assert TIMING.duration - TIMING.retry_period <= took <= limit
    assert second.transitions == 1
    assert running.process(second.holder).code is None


async def test_a_leader_that_stops_is_followed_at_once(running: Elections, plane: Plane, namespace: str) -> None:
    first = await two_replicas(running, "stopped")
    running.process(first).send(signal.SIGTERM)
    stopped = datetime.now(UTC)
    limit = 2 * TIMING.retry_period
    second = await running.leader("stopped", other_than=first, within=limit + 2)
    took = (second.since - stopped).total_seconds()
    print(f"\nleader stopped: the next one led after {took:.2f} s (limit {limit} s)")
    assert took < limit
    assert await running.process(first).wait(5) == 0
    late = audited(plane.audit_log, namespace, lambda write: write.by == first and write.at > second.since)
    assert late == []


async def test_a_stopped_standby_leaves_the_leader_alone(running: Elections) -> None:
    first = await two_replicas(running, "standby")
    (standby,) = [identity for identity in running.identities("standby") if identity != first]
    running.process(standby).send(signal.SIGTERM)
    assert await running.process(standby).wait(5) == 0
    await asyncio.sleep(TIMING.duration + 1)
    assert [term.holder for term in running.terms["standby"]] == [first]


async def test_a_blocked_event_loop_keeps_the_lease(running: Elections, plane: Plane, namespace: str) -> None:
    """20 s with the default timing, and three times a short lease's duration."""

    async def block(election: str, timing: LeaseTiming, seconds: float) -> None:
        for _ in range(2):
            await running.start(election, timing, block_seconds=seconds)
        before = await running.leader(election, within=START_SECONDS)
        leader = running.process(before.holder)
        await asyncio.sleep(2)  # so that it has written
        leader.send(signal.SIGUSR2)
        await asyncio.sleep(seconds + 2)
        after = running.leases[election]
        writes = audited(plane.audit_log, namespace, lambda write: write.by == leader.identity)
        pause = max((later.at - earlier.at).total_seconds() for earlier, later in pairwise(writes))
        assert pause > seconds - 1  # it was blocked indeed, and went on
        assert (after.holder, after.transitions, leader.code) == (before.holder, 0, None)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(block("default", LeaseTiming(), 20.0))
        tasks.create_task(block("short", LeaseTiming(2, 1.2, 0.3), 6.0))
