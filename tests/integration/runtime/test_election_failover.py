"""Replicas as processes on a real API server: who follows a leader that dies, ends or stalls, and when.

All scenes are played side by side, each in an election of its own: they wait for leases most of the time. The tests
look at what came of them.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import pytest
import pytest_asyncio

from controller.runtime.election.lease import LeaseTiming
from e2e.plane import Plane
from tests.integration.runtime.elections import Elections, Held, audited, elections

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

TIMING = LeaseTiming(duration=4, renew_deadline=3, retry_period=0.5)
# Long, so that a lease which was given back differs from one that has run out.
RELEASED = LeaseTiming(duration=60, renew_deadline=40, retry_period=0.5)
# A start, and the first look, on a machine that others use as well.
START_SECONDS = 30.0
# How late that machine may make somebody. How soon it must be is shown in virtual time.
LATE_SECONDS = 10.0
END_SECONDS = 20.0
# By election: how long the leader's event loop is blocked, with the default timing and three times a short lease.
BLOCKS = {"default": 20.0, "short": 3.0 * TIMING.duration}


@dataclass(frozen=True)
class Change:
    """A leader that went, and who followed. Seconds until the successor had the lease, by its own word: `took` from the
    signal, `unrenewed` from the last renewal that was seen.
    """

    first: str
    second: Held
    took: float
    unrenewed: float


@dataclass(frozen=True)
class Block:
    """A leader whose event loop stood still. `pause`: the longest time without a write of its, in seconds."""

    before: Held
    after: Held
    code: int | None
    pause: float


@dataclass(frozen=True)
class Scenes:
    """How they ended; the replicas still run."""

    running: Elections
    namespace: str
    killed: Change
    stopped: Change
    blocked: Mapping[str, Block]
    leader_beside_a_stopped_standby: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scenes(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scenes]:
    namespace = "election-failover"
    await asyncio.to_thread(plane.admin.create, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    async with elections(plane, namespace, tmp_path_factory.mktemp("elections")) as running:
        async with asyncio.TaskGroup() as tasks:
            killed = tasks.create_task(gone(running, "killed", TIMING, signal.SIGKILL))
            stopped = tasks.create_task(gone(running, "stopped", RELEASED, signal.SIGTERM))
            standby = tasks.create_task(standby_stops(running, "standby"))
            blocks = {
                election: tasks.create_task(block(running, election, timing, BLOCKS[election]))
                for election, timing in (("default", LeaseTiming()), ("short", TIMING))
            }
        blocked = {election: pausing(task.result(), plane, namespace) for election, task in blocks.items()}
        yield Scenes(running, namespace, killed.result(), stopped.result(), blocked, standby.result())
    await asyncio.to_thread(plane.admin.delete, f"/api/v1/namespaces/{namespace}")


async def two_replicas(running: Elections, election: str, timing: LeaseTiming, *, block_seconds: float = 0.0) -> Held:
    """Start two; the one that leads, once it has done so for a while."""
    for _ in range(2):
        await running.start(election, timing, block_seconds=block_seconds)
    led = await running.leader(election, within=START_SECONDS)
    await asyncio.sleep(2 * timing.retry_period)
    return led


async def gone(running: Elections, election: str, timing: LeaseTiming, number: signal.Signals) -> Change:
    """Send the leader a signal that ends it."""
    first = (await two_replicas(running, election, timing)).holder
    running.process(first).send(number)
    sent = datetime.now(UTC)
    second = await running.leader(election, other_than=first, within=timing.duration + LATE_SECONDS)
    await running.process(first).wait(END_SECONDS)
    took, unrenewed = ((second.since - moment).total_seconds() for moment in (sent, running.renewed[first]))
    return Change(first, second, took, unrenewed)


async def standby_stops(running: Elections, election: str) -> str:
    """The leader, after a lease's duration without its standby."""
    led = await two_replicas(running, election, TIMING)
    (standby,) = [identity for identity in running.identities(election) if identity != led.holder]
    running.process(standby).send(signal.SIGTERM)
    assert await running.process(standby).wait(END_SECONDS) == 0
    await asyncio.sleep(TIMING.duration + 1)
    return led.holder


async def block(
    running: Elections, election: str, timing: LeaseTiming, seconds: float
) -> tuple[Held, Held, int | None]:
    """The leader before it was blocked for that long, and afterwards; with its exit code."""
    before = await two_replicas(running, election, timing, block_seconds=seconds)
    leader = running.process(before.holder)
    await running.written(election)
    leader.send(signal.SIGUSR2)
    await asyncio.sleep(seconds)
    await running.written(election)
    return before, running.leases[election], leader.code


def pausing(ended: tuple[Held, Held, int | None], plane: Plane, namespace: str) -> Block:
    before, after, code = ended
    writes = audited(plane.audit_log, namespace, lambda write: write.by == before.holder)
    pause = max((later.at - earlier.at).total_seconds() for earlier, later in pairwise(writes))
    return Block(before, after, code, pause)


async def test_a_killed_leader_is_followed_within_duration_and_retry(scenes: Scenes) -> None:
    found, limit = scenes.killed, TIMING.duration + TIMING.retry_period
    print(f"\nleader killed: the next one led after {found.took:.2f} s (limit {limit} s)")
    assert found.unrenewed >= TIMING.duration
    assert found.took <= limit + LATE_SECONDS
    assert found.second.transitions == 1
    assert scenes.running.process(found.second.holder).code is None


async def test_a_leader_that_stops_is_followed_at_once(scenes: Scenes, plane: Plane) -> None:
    found = scenes.stopped
    print(f"\nleader stopped: the next one led after {found.took:.2f} s, its lease lasts {RELEASED.duration} s")
    assert found.took < RELEASED.duration / 2
    assert scenes.running.process(found.first).code == 0
    late = audited(
        plane.audit_log, scenes.namespace, lambda write: write.by == found.first and write.at > found.second.since
    )
    assert late == []


async def test_a_stopped_standby_leaves_the_leader_alone(scenes: Scenes) -> None:
    assert [term.holder for term in scenes.running.terms["standby"]] == [scenes.leader_beside_a_stopped_standby]


@pytest.mark.parametrize("election", BLOCKS)
async def test_a_blocked_event_loop_keeps_the_lease(scenes: Scenes, election: str) -> None:
    found = scenes.blocked[election]
    assert found.pause > BLOCKS[election] - 1  # it was blocked indeed, and went on
    assert (found.after.holder, found.after.transitions, found.code) == (found.before.holder, 0, None)
