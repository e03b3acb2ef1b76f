"""A hundred leaders are stopped (SIGSTOP) for longer than their lease and go on: what they still write does no harm.

Twenty elections at once, two replicas each, five rounds: a round waits for a lease. In one round of five the leader is
stopped from outside at any moment; in the others it stops itself at the worst one, after a write has passed the check
and before it is sent.
"""

import asyncio
import signal
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from psutil import NoSuchProcess

from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.renewer import LOST_EXIT_CODE
from e2e.plane import Plane
from tests.integration.runtime.elected_program import EVENT_WRITERS, WORKERS
from tests.integration.runtime.elections import Elections, Held, Process, Write, audited, elections

pytestmark = [pytest.mark.plane, pytest.mark.timeout(600)]

ELECTIONS = 20
ROUNDS = 5
FROM_OUTSIDE = 2
PERIOD_SECONDS = 0.5
TIMING = LeaseTiming(duration=3, renew_deadline=2.0, retry_period=0.4)
START_SECONDS = 60.0
# On two cores with forty replicas and an API server.
TAKEOVER_SECONDS = TIMING.duration + TIMING.retry_period + 20.0
END_SECONDS = 20.0


class Stops:
    """Stops the leaders of one election, round after round. `stopped`: the identities, in order.

    `lost`: how often a leader lost its lease although nobody stopped it, on a machine too busy for the short timing.
    """

    def __init__(self, running: Elections, election: str, rng: Random) -> None:
        self._running = running
        self._election = election
        self._rng = rng
        self._replicas: list[Process] = []
        self.stopped: list[str] = []
        self.lost = 0

    async def run(self) -> None:
        while len(self.stopped) < ROUNDS:
            await self._two_replicas()
            await self._round(itself=len(self.stopped) % ROUNDS != FROM_OUTSIDE)

    async def _two_replicas(self) -> None:
        for replica in [replica for replica in self._replicas if replica.code is not None]:
            # By the elector's thread, or by a write that the fence refused: whichever was run first.
            assert replica.code == LOST_EXIT_CODE, replica.log.read_text()
            assert f"is not held by '{replica.identity}'" in replica.log.read_text()
            self.lost += replica.identity not in self.stopped
            self._replicas.remove(replica)
        while len(self._replicas) < 2:
            self._replicas.append(await self._running.start(self._election, TIMING, period=PERIOD_SECONDS))

    async def _round(self, *, itself: bool) -> None:
        held = await self._running.leader(self._election, within=TAKEOVER_SECONDS + START_SECONDS)
        leader = self._running.process(held.holder)
        await asyncio.sleep(self._rng.uniform(0.3, 1.0))
        if not await self._stop(leader, itself=itself):
            return
        await self._running.leader(self._election, other_than=leader.identity, within=TAKEOVER_SECONDS)
        await asyncio.sleep(self._rng.uniform(0.0, 1.0))
        self.stopped.append(leader.identity)
        leader.send(signal.SIGCONT)
        await leader.wait(END_SECONDS)

    async def _stop(self, leader: Process, *, itself: bool) -> bool:
        """Have it stopped; False when it has ended by itself before."""
        try:
            leader.send(signal.SIGUSR1 if itself else signal.SIGSTOP)
            async with asyncio.timeout(END_SECONDS):
                while not leader.is_stopped():  # noqa: ASYNC110 - nobody signals it
                    await asyncio.sleep(0.02)
        except (ProcessLookupError, NoSuchProcess):
            await leader.wait(END_SECONDS)
            return False
        return True


async def test_stopped_leaders_do_no_harm(plane: Plane, namespace: str, tmp_path: Path) -> None:
    async with elections(plane, namespace, tmp_path) as running:
        stops = [Stops(running, f"e{number}", Random(number)) for number in range(ELECTIONS)]
        async with asyncio.TaskGroup() as tasks:
            for each in stops:
                tasks.create_task(each.run())
        terms = dict(running.terms)
    writes = audited(plane.audit_log, namespace)
    late = _late(writes, terms)
    stopped = [identity for each in stops for identity in each.stopped]
    print(_figures(writes, late, stopped, terms), f"; {sum(each.lost for each in stops)} lost without a stop")
    assert len(stopped) == ELECTIONS * ROUNDS
    assert set(stopped) <= set(late)
    # Else nothing would be looked at of Events.
    assert sum(write.is_event and write.accepted for write in writes) >= ELECTIONS * ROUNDS
    _assert_created_once(writes)
    _assert_each_change_on_the_version_read(writes)
    for identity, found in late.items():
        # No more than one a worker, or writer of Events: each had passed the check when the process was stopped.
        events = [write for write in found if write.is_event]
        assert len(events) <= EVENT_WRITERS, (identity, events)
        assert len(found) - len(events) <= WORKERS, (identity, found)
    # Those that stopped themselves had a write under way each: were none seen, this test would look at nothing.
    assert sum(bool(late[identity]) for identity in stopped) >= ELECTIONS * ROUNDS // 4


def _late(writes: list[Write], terms: dict[str, list[Held]]) -> dict[str, list[Write]]:
    """By former leader: its writes that arrived after its successor began to ask for the lease."""
    found: dict[str, list[Write]] = {}
    for holders in terms.values():
        for former, successor in pairwise(holders):
            found[former.holder] = [w for w in writes if w.by == former.holder and w.at > successor.since]
    return found


def _assert_created_once(writes: list[Write]) -> None:
    created = Counter(write.name for write in writes if write.created and write.accepted)
    assert {name: times for name, times in created.items() if times > 1} == {}


def _assert_each_change_on_the_version_read(writes: list[Write]) -> None:
    """Each accepted change counts one up from what it read; had it changed another version, a number came twice.

    A number may be missing among the accepted where a process ended before the answer to its write.
    """
    counted: dict[str, list[int]] = defaultdict(list)
    unsure: dict[str, set[int]] = defaultdict(set)
    bases: Counter[tuple[str, str]] = Counter()
    for write in writes:
        if write.accepted:
            counted[write.name].append(write.count)
            bases[write.name, write.read] += 1
        elif write.is_unsure:
            unsure[write.name].add(write.count)
    assert {base: times for base, times in bases.items() if times > 1} == {}
    for name, counts in counted.items():
        assert len(counts) == len(set(counts)), name
        assert set(range(1, max(counts) + 1)) - set(counts) <= unsure[name], name


def _figures(
    writes: list[Write], late: dict[str, list[Write]], stopped: list[str], terms: dict[str, list[Held]]
) -> str:
    found = [write for each in late.values() for write in each]
    accepted = sum(write.accepted for write in found)
    return (
        f"\n{len(stopped)} stops in {sum(map(len, terms.values()))} terms; {len(writes)} writes, "
        f"{sum(write.is_event for write in writes)} of them Events ({sum(write.is_event for write in found)} late), "
        f"{sum(write.accepted for write in writes)} accepted; after the successor's claim {len(found)} arrived "
        f"({max(map(len, late.values()))} of one process at most), {len(found) - accepted} refused, {accepted} accepted "
        f"on the version read"
    )
