"""A hundred leaders are stopped (SIGSTOP) for longer than their lease and go on: what they still write does no harm.

Ten elections at once, two replicas each, ten rounds. In every other round the leader is stopped from outside at any
moment; in the others it stops itself at the worst one, after a write has passed the check and before it is sent.
"""

import asyncio
import signal
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest

from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.renewer import LOST_EXIT_CODE
from e2e.plane import Plane
from tests.integration.runtime.elected_program import WORKERS
from tests.integration.runtime.elections import Elections, Held, Process, Write, audited, elections

pytestmark = [pytest.mark.plane, pytest.mark.timeout(600)]

ELECTIONS = 10
ROUNDS = 10
TIMING = LeaseTiming(duration=2, renew_deadline=1.2, retry_period=0.3)
START_SECONDS = 30.0
# On two cores with twenty replicas and an API server.
TAKEOVER_SECONDS = TIMING.duration + TIMING.retry_period + 3.0
END_SECONDS = 5.0


class Stops:
    """Stops the leaders of one election, round after round. `stopped`: the identities, in order."""

    def __init__(self, running: Elections, election: str, rng: Random) -> None:
        self._running = running
        self._election = election
        self._rng = rng
        self.stopped: list[str] = []

    async def run(self) -> None:
        for _ in range(2):
            await self._start()
        await self._running.leader(self._election, within=START_SECONDS)
        for number in range(ROUNDS):
            await self._round(itself=number % 2 == 0)

    async def _round(self, *, itself: bool) -> None:
        leader = await self._leading_process()
        await asyncio.sleep(self._rng.uniform(0.3, 1.0))
        leader.send(signal.SIGUSR1 if itself else signal.SIGSTOP)
        async with asyncio.timeout(END_SECONDS):
            while not leader.is_stopped():  # noqa: ASYNC110 - nobody signals it
                await asyncio.sleep(0.02)
        await self._running.leader(self._election, other_than=leader.identity, within=TAKEOVER_SECONDS)
        await asyncio.sleep(self._rng.uniform(0.0, 1.0))
        leader.send(signal.SIGCONT)
        assert await leader.wait(END_SECONDS) == LOST_EXIT_CODE, leader.log.read_text()
        assert "lease lost; the process ends" in leader.log.read_text()
        self.stopped.append(leader.identity)
        await self._start()

    async def _leading_process(self) -> Process:
        held = await self._running.leader(self._election, within=TAKEOVER_SECONDS)
        return self._running.process(held.holder)

    async def _start(self) -> None:
        await self._running.start(self._election, TIMING, period=0.25)


async def test_stopped_leaders_do_no_harm(plane: Plane, namespace: str, tmp_path: Path) -> None:
    async with elections(plane, namespace, tmp_path) as running:
        stops = [Stops(running, f"e{number}", Random(number)) for number in range(ELECTIONS)]
        async with asyncio.TaskGroup() as tasks:
            for each in stops:
                tasks.create_task(each.run())
        terms = dict(running.terms)
    writes = audited(plane.audit_log, namespace)
    stopped = [identity for each in stops for identity in each.stopped]
    assert len(stopped) == ELECTIONS * ROUNDS
    late = {identity: _late(identity, writes, terms) for identity in stopped}
    print(_figures(writes, late, terms))
    _assert_created_once(writes)
    _assert_each_change_on_the_version_read(writes)
    for identity, found in late.items():
        # No more than one a worker: each had passed the check when the process was stopped.
        assert len(found) <= WORKERS, (identity, found)
    # Those that stopped themselves had a write under way each: were none seen, this test would look at nothing.
    assert sum(bool(found) for found in late.values()) >= ELECTIONS * ROUNDS // 4


def _late(identity: str, writes: list[Write], terms: dict[str, list[Held]]) -> list[Write]:
    """Writes of `identity` that arrived after its successor began to ask for the lease."""
    holders = terms[identity.partition("-")[0]]
    (index,) = [index for index, term in enumerate(holders) if term.holder == identity]
    successor = holders[index + 1]
    return [write for write in writes if write.by == identity and write.at > successor.since]


def _assert_created_once(writes: list[Write]) -> None:
    created = Counter(write.name for write in writes if write.created and write.accepted)
    assert {name: times for name, times in created.items() if times > 1} == {}


def _assert_each_change_on_the_version_read(writes: list[Write]) -> None:
    """Each accepted change counts one up from what it read; had it changed another version, a number came twice."""
    counted: dict[str, list[int]] = defaultdict(list)
    bases: Counter[tuple[str, str]] = Counter()
    for write in writes:
        if write.accepted:
            counted[write.name].append(write.count)
            bases[write.name, write.read] += 1
    assert {base: times for base, times in bases.items() if times > 1} == {}
    for name, counts in counted.items():
        assert sorted(counts) == list(range(1, len(counts) + 1)), name


def _figures(writes: list[Write], late: dict[str, list[Write]], terms: dict[str, list[Held]]) -> str:
    found = [write for each in late.values() for write in each]
    accepted = sum(write.accepted for write in found)
    return (
        f"\n{len(late)} stops in {sum(map(len, terms.values()))} terms; {len(writes)} writes, "
        f"{sum(write.accepted for write in writes)} accepted; after the successor's claim {len(found)} arrived "
        f"({max(map(len, late.values()))} of one process at most), {len(found) - accepted} refused, {accepted} accepted "
        f"on the version read"
    )
