"""Whether the map is of now: by whether the API server answers, and by since when a kind's watch fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from controller.runtime.cache.informer import CacheNotSynced
from controller.runtime.client.core import LEASES, PODS
from controller.runtime.client.errors import ApiError, Forbidden, Unavailable
from controller.runtime.client.resource import Resource
from controller.ui.pulse import ALL, ANSWER_SECONDS, BEHIND_SECONDS, EVERY_SECONDS, Pulse
from tests.fakes.clock import LoopClock

pytestmark = pytest.mark.looptime


class Kind:
    """An informer that fails from when it is told to until it is listed anew, if that succeeds."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.failing_since: float | None = None
        self.refreshed = 0
        self.lists = True

    async def refresh(self, timeout: float) -> None:
        self.refreshed += 1
        await asyncio.sleep(1)
        if not self.lists:
            raise CacheNotSynced("not listed")
        self.failing_since = None


class Site:
    """A pulse, what it looks at, and what the API server says."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.pods, self.leases = Kind(PODS), Kind(LEASES)
        self.error: ApiError | None = None
        self.silent = False
        self.pulse = Pulse(self._ask, self.clock)

    async def _ask(self) -> None:
        if self.silent:
            await asyncio.sleep(3600)
        if self.error is not None:
            raise self.error


@asynccontextmanager
async def looking() -> AsyncIterator[Site]:
    site = Site()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(site.pulse.run((site.pods, site.leases)))
        await asyncio.sleep(0)
        yield site
        running.cancel()


async def test_what_is_answered_is_of_now() -> None:
    async with looking() as site:
        await asyncio.sleep(100)
        assert site.pulse.ages().keys() == {"pods", "leases"}
        assert max(site.pulse.ages().values()) <= EVERY_SECONDS
        assert site.pulse.behind() == {}
        assert site.pods.refreshed == 0


@pytest.mark.parametrize("how", ["nobody", "nothing"])
async def test_an_api_server_that_says_nothing_makes_all_of_it_old(how: str) -> None:
    async with looking() as site:
        await asyncio.sleep(0.1)
        last = site.clock.now()
        site.error, site.silent = Unavailable(0, "NoAnswer", "refused") if how == "nobody" else None, how == "nothing"
        await asyncio.sleep(BEHIND_SECONDS - 1)
        assert site.pulse.behind() == {}
        await asyncio.sleep(20)
        assert set(site.pulse.behind()) == {ALL}
        since = datetime.fromisoformat(site.pulse.behind()[ALL]["since"])
        assert abs((since - last).total_seconds()) <= 1
        assert site.pulse.ages()["pods"] == pytest.approx(BEHIND_SECONDS + 19, abs=1)
        site.error, site.silent = None, False
        await asyncio.sleep(EVERY_SECONDS + ANSWER_SECONDS + 2)
        assert site.pulse.behind() == {}
        assert (site.pods.refreshed, site.leases.refreshed) == (1, 1), "whether they noticed or not"


async def test_after_a_silence_a_kind_is_of_now_when_it_was_listed_also_where_it_noticed_nothing() -> None:
    async with looking() as site:
        await asyncio.sleep(0.1)
        site.error, site.pods.lists = Unavailable(0, "NoAnswer", "refused"), False
        await asyncio.sleep(BEHIND_SECONDS + 10)
        told = site.pulse.behind()[ALL]
        site.error = None
        await asyncio.sleep(EVERY_SECONDS + 2)
        assert site.pulse.behind() == {"pods": told}
        site.pods.lists = True
        await asyncio.sleep(EVERY_SECONDS + 2)
        assert site.pulse.behind() == {}


async def test_a_refusal_is_an_answer() -> None:
    async with looking() as site:
        site.error = Forbidden(403, "Forbidden", "no")
        await asyncio.sleep(60)
        assert site.pulse.behind() == {}


async def test_a_kind_that_fails_alone_is_named_with_when_it_began_and_listed_anew() -> None:
    async with looking() as site:
        await asyncio.sleep(50)
        site.pods.lists = False
        site.pods.failing_since = site.clock.monotonic()
        began = site.clock.now()
        site.pulse.ages()
        await asyncio.sleep(30)
        first = site.pulse.behind()
        assert set(first) == {"pods"}
        assert abs((datetime.fromisoformat(first["pods"]["since"]) - began).total_seconds()) <= EVERY_SECONDS
        await asyncio.sleep(7)
        assert site.pulse.behind() == first, "a row that is the same is no change"
        assert site.pulse.ages()["pods"] == pytest.approx(37, abs=EVERY_SECONDS)
        assert site.pulse.ages()["leases"] <= EVERY_SECONDS
        site.pods.lists = True
        await asyncio.sleep(EVERY_SECONDS + 2)
        assert site.pulse.behind() == {}
        assert site.pods.refreshed > 1


async def test_nothing_is_listed_anew_while_nobody_answers() -> None:
    async with looking() as site:
        site.error = Unavailable(0, "NoAnswer", "refused")
        await asyncio.sleep(EVERY_SECONDS)
        site.pods.failing_since = site.clock.monotonic()
        await asyncio.sleep(60)
        assert site.pods.refreshed == 0
        site.error = None
        await asyncio.sleep(EVERY_SECONDS + 0.1)
        assert site.pods.refreshed == 1
