"""A participant against a Lease in memory, in virtual time: renewing, hanging, losing, giving back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
import structlog
from structlog.testing import capture_logs

from controller.runtime.client.errors import NotFound
from controller.runtime.election.candidacy import Candidate
from controller.runtime.election.fence import Fence, LeaseLost
from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.participant import Participant
from tests.controller.runtime.election.lease_server import FakeLease, refuse
from tests.fakes.clock import LoopClock

pytestmark = pytest.mark.looptime

TIMING = LeaseTiming(duration=15, renew_deadline=10, retry_period=2)


class Replica:
    """A participant with its fence; `led` are the times at which it began to lead, `ended` how it ended."""

    def __init__(self, lease: FakeLease, identity: str = "me", timing: LeaseTiming = TIMING) -> None:
        self.clock = LoopClock()
        self.fence = Fence("ns/lease", identity, self.clock.monotonic)
        self.led: list[float] = []
        self.lost: LeaseLost | None = None
        self.ended_at = 0.0
        self.stop = asyncio.Event()
        self.participant = Participant(
            lease,
            Candidate(identity, timing),
            self.fence,
            clock=self.clock,
            rng=Random(1),
            log=structlog.get_logger(),
            on_leading=lambda: self.led.append(self.clock.monotonic()),
        )

    async def run(self) -> None:
        try:
            await self.participant.run(self.stop)
        except LeaseLost as lost:
            self.lost = lost
        self.ended_at = self.clock.monotonic()


@asynccontextmanager
async def taking_part(*replicas: Replica, seconds: float) -> AsyncIterator[None]:
    """Let them run for `seconds`, then the body; at the end those that still run are stopped."""
    async with asyncio.timeout(1e5), asyncio.TaskGroup() as tasks:
        for replica in replicas:
            tasks.create_task(replica.run())
        await asyncio.sleep(seconds)
        yield
        for replica in replicas:
            replica.stop.set()


async def test_one_leads_and_renews_the_other_waits() -> None:
    lease = FakeLease()
    first, second = Replica(lease, "first"), Replica(lease, "second")
    async with taking_part(first, second, seconds=60):
        assert [replica.fence.open for replica in (first, second)].count(True) == 1
        assert lease.record is not None
        assert lease.record.lease_transitions == 0
        assert 28 <= lease.requests.count("replace") <= 31  # every two seconds
        assert len(first.led + second.led) == 1


async def test_a_standby_that_is_told_to_look_does_not_wait_for_its_turn() -> None:
    lease = FakeLease()
    first, second = Replica(lease, "first"), Replica(lease, "second")
    async with taking_part(first, seconds=5), taking_part(second, seconds=20):
        first.stop.set()
        await asyncio.sleep(0.01)
        given_back = second.clock.monotonic()
        second.participant.look()
        await asyncio.sleep(0.5)
        assert second.fence.open
        assert second.led[0] - given_back < 0.1


async def test_who_is_told_to_look_while_it_asks_looks_once_more() -> None:
    lease = FakeLease()
    first, second = Replica(lease, "first"), Replica(lease, "second")
    async with taking_part(first, seconds=5), taking_part(second, seconds=20):
        before = lease.requests.count("read")
        second.participant.look()
        await asyncio.sleep(0.005)  # of the 0.01 s that a request takes
        second.participant.look()
        await asyncio.sleep(0.1)
        assert lease.requests.count("read") == before + 2


async def test_a_leader_that_is_told_to_look_renews_once() -> None:
    lease = FakeLease()
    only = Replica(lease)
    async with taking_part(only, seconds=5):
        before = len(lease.requests)
        only.participant.look()
        await asyncio.sleep(0.5)
        assert lease.requests[before:] == ["replace"]
        assert only.fence.open


async def test_given_back_and_taken_at_the_others_next_look() -> None:
    lease = FakeLease()
    first, second = Replica(lease, "first"), Replica(lease, "second")
    async with taking_part(first, seconds=5), taking_part(second, seconds=20):
        first.stop.set()
        await asyncio.sleep(2.1)
        assert not first.fence.open
        assert second.fence.open
    assert lease.record is not None
    assert (lease.record.holder_identity, lease.record.lease_transitions) == ("", 1)


async def test_a_refused_connection_is_tried_again_until_the_deadline() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1):
        lease.always = refuse
        before = len(lease.requests)
        await asyncio.sleep(20)
    assert replica.lost is not None
    assert replica.ended_at == pytest.approx(10, abs=0.1)
    assert len(lease.requests) - before == 4
    assert "connection refused" in replica.lost.why


async def test_losing_does_not_wait_for_the_next_try() -> None:
    replica = Replica(lease := FakeLease(), timing=LeaseTiming(15, 10, 3.5))
    async with taking_part(replica, seconds=1):
        lease.always = refuse
        await asyncio.sleep(20)
    assert replica.ended_at == pytest.approx(10, abs=0.1)


async def test_a_short_outage_is_survived() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1):
        lease.trouble.extend([refuse] * 3)
        await asyncio.sleep(20)
        assert replica.fence.open


async def test_a_hung_renewal_times_out_and_the_next_one_saves_the_lease() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1):
        lease.trouble.append(1e6)
        await asyncio.sleep(20)
        assert replica.fence.open


async def test_renewals_that_all_hang_lose_the_lease_at_the_deadline() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1):
        lease.trouble.extend([1e6] * 9)
        await asyncio.sleep(8.9)
        replica.fence.check()
        await asyncio.sleep(0.2)
        assert not replica.fence.open
    assert replica.lost is not None
    assert replica.ended_at == pytest.approx(10, abs=0.1)


async def test_renewals_without_an_answer_are_found_and_repeated() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1):
        lease.unheard = 1
        await asyncio.sleep(20)
        assert replica.fence.open
        assert lease.record is not None
        assert lease.record.lease_transitions == 0


async def test_a_claim_without_an_answer_is_found_to_be_ours() -> None:
    replica = Replica(lease := FakeLease())
    lease.unheard = 1
    async with taking_part(replica, seconds=9):
        assert replica.led == [pytest.approx(5, abs=0.2)]
        assert lease.requests[:4] == ["read", "create", "read", "replace"]


async def test_another_holder_ends_it_at_once() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=3):
        assert lease.record is not None
        lease.put(replace(lease.record, holder_identity="thief"))
        await asyncio.sleep(2)
    assert replica.lost is not None
    assert (replica.lost.holder, replica.lost.why) == ("thief", "'thief' holds it now")


async def test_somebody_else_s_label_does_not_end_it() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=3):
        lease.version += 1
        await asyncio.sleep(20)
        assert replica.fence.open


async def test_a_process_that_was_stopped_beyond_validity_sends_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=3):
        sent = len(lease.requests)
        monkeypatch.setattr(replica.clock, "monotonic", lambda: LoopClock().monotonic() + 30)
        monkeypatch.setattr(replica.fence, "monotonic", replica.clock.monotonic)
        assert not replica.fence.open
        await asyncio.sleep(3)
    assert replica.lost is not None
    assert len(lease.requests) == sent


@pytest.mark.parametrize("hanging", [1, 9], ids=["the renewal under way hangs", "the release hangs too"])
async def test_giving_back_is_bounded_in_time(hanging: int) -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1.5):
        lease.trouble.extend([1e6] * hanging)
        await asyncio.sleep(1)
        replica.stop.set()
        await asyncio.sleep(0.1)
    assert replica.ended_at - 2.6 <= 2 * TIMING.request_timeout
    assert lease.record is not None
    assert lease.record.holder_identity == ("" if hanging == 1 else "me")


async def test_giving_back_is_bounded_however_many_requests_it_takes() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1):
        lease.version += 1  # a renewal that nobody heard of
        lease.trouble.extend([3.0, 3.0, 3.0])
        replica.stop.set()
    assert replica.ended_at == pytest.approx(1 + TIMING.request_timeout, abs=0.1)


async def test_the_fence_closes_before_the_lease_is_given_back() -> None:
    replica = Replica(lease := FakeLease())
    open_at_write: list[bool] = []
    async with taking_part(replica, seconds=1):
        lease.always = lambda: open_at_write.append(replica.fence.open)
        replica.stop.set()
    assert open_at_write == [False]


async def test_a_standby_tries_on_while_nobody_answers() -> None:
    replica = Replica(lease := FakeLease())
    lease.trouble.extend([refuse] * 100)
    async with taking_part(replica, seconds=300):
        assert len(replica.led) == 1


def nowhere() -> None:
    raise NotFound(404, "NotFound", 'namespaces "ns" not found')


def missing(lease: FakeLease) -> None:
    """The namespace is not there: reads find no Lease, writes are refused."""
    lease.record = None
    lease.always = lambda: None if lease.requests[-1] == "read" else nowhere()


async def test_a_missing_namespace_is_told_once_and_tried_again() -> None:
    replica = Replica(lease := FakeLease())
    missing(lease)
    with capture_logs() as told:
        async with taking_part(replica, seconds=60):
            assert lease.requests.count("create") > 10
            lease.always = None
            await asyncio.sleep(5)
            assert replica.fence.open
    warnings = [line for line in told if line["log_level"] == "warning"]
    assert [line["event"] for line in warnings] == ["lease cannot be created"]
    assert "not found" in warnings[0]["error"]
    assert warnings[0]["remedy"] == "create the namespace of ns/lease, or elect in another one"


async def test_a_leader_whose_namespace_vanished_does_not_hammer() -> None:
    replica = Replica(lease := FakeLease())
    async with taking_part(replica, seconds=1):
        missing(lease)
        await asyncio.sleep(20)
        assert lease.requests.count("create") <= 1 + 10
    assert replica.lost is not None
    assert "not found" in replica.lost.why
