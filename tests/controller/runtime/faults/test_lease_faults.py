"""A lease whose renewals hang: the leader knows in time that it leads no more, and nobody leads beside the next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import structlog

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import CONFIG_MAPS, LEASES
from controller.runtime.election.candidacy import Candidate
from controller.runtime.election.fence import Fence, LeaseLost
from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.lease_object import ApiLease
from controller.runtime.election.participant import Participant
from tests.controller.runtime.faults.world import gaps
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer, Seen
from tests.fakes.clock import LoopClock

pytestmark = pytest.mark.looptime

TIMING = LeaseTiming(duration=15, renew_deadline=10.0, retry_period=2.0)


class Replica:
    """One process's part in the election, over a client of its own. `lost_at`: when it gave up."""

    def __init__(self, name: str, client: Client) -> None:
        clock = LoopClock()
        self.name, self.clock = name, clock
        self.fence = Fence("ns/lease", name, clock.monotonic)
        self.led, self.lost_at, self.led_at = asyncio.Event(), 0.0, 0.0
        self._participant = Participant(
            ApiLease(client, "ns", "lease"),
            Candidate(name, TIMING),
            self.fence,
            clock=clock,
            rng=Random(1),
            log=structlog.get_logger(__name__),
            on_leading=self._lead,
        )

    async def run(self) -> None:
        try:
            await self._participant.run(asyncio.Event())
        except LeaseLost:
            self.lost_at = self.clock.monotonic()

    def _lead(self) -> None:
        self.led_at = self.clock.monotonic()
        self.led.set()


@asynccontextmanager
async def electorate(*names: str) -> AsyncIterator[tuple[FakeApiServer, Client, list[Replica]]]:
    """A server, a client for the product's own requests, and replicas of which the first leads."""
    async with FakeApiServer() as api, Client(ClientConfiguration(api.url), clock=LoopClock()) as client:
        api.serve(LEASES)
        api.serve(CONFIG_MAPS)
        replicas = [Replica(name, client) for name in names]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(replicas[0].run())]
            await replicas[0].led.wait()
            running += [tasks.create_task(replica.run()) for replica in replicas[1:]]
            yield api, client, replicas
            for task in running:
                task.cancel()


def renewals(api: FakeApiServer) -> list[Seen]:
    return [seen for seen in api.seen if seen.method == "PUT"]


async def test_a_hung_lease_renewal() -> None:
    async with electorate("first") as (api, _, (first,)):
        await asyncio.sleep(5.0)
        api.play(faults.silence(), on="PUT")
        before = len(renewals(api))
        for _ in range(200):
            first.fence.check()
            await asyncio.sleep(0.1)
        hung, *later = renewals(api)[before:]
        assert TIMING.request_timeout == 5.0
        assert later[0].at - hung.at == pytest.approx(5.0, abs=0.1), "given up in time for another"
        assert gaps(later) == pytest.approx([2.0] * (len(later) - 1), abs=0.1)
        assert first.lost_at == 0.0


async def test_lease_renewals_that_all_hang() -> None:
    async with electorate("first", "second") as (api, client, (first, second)):
        await asyncio.sleep(5.0)
        renewed = renewals(api)[-1].at
        api.play(faults.silence(), faults.silence(), faults.silence(), on="PUT")
        async with asyncio.timeout(15):
            while first.fence.open:  # noqa: ASYNC110 - a fence closes by time alone
                await asyncio.sleep(0.01)
        closed = first.clock.monotonic()
        assert closed - renewed == pytest.approx(10.0, abs=0.05), "ten seconds after the last renewal was sent"
        with pytest.raises(LeaseLost):
            await client.guarded(first.fence.check).create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "ns"}})
        assert not any(seen.path.endswith("configmaps") for seen in api.seen), "the write stayed here"
        await asyncio.sleep(0.1)
        assert first.lost_at - closed < 0.1
        api.heal()
        async with asyncio.timeout(15):
            await second.led.wait()
        assert 14.9 <= second.led_at - renewed <= 17.1, "after the duration, at its next look"
        tried = [seen.at for seen in renewals(api) if renewed < seen.at < second.led_at - 1]
        assert max(tried) < closed, "and the first asked for nothing more"
