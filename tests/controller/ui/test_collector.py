"""What the map tells of itself: every metric of its own, with figures that follow what happens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from controller.runtime.client.core import LEASES, PODS
from controller.telemetry.instruments import UI
from controller.telemetry.metrics import Metrics
from controller.ui.apart import Apart
from controller.ui.collector import observe_map
from controller.ui.feed import MOST_QUEUED
from controller.ui.gate import Admitted
from controller.ui.limits import BURST, QUESTION, REQUEST, Limits
from controller.ui.planner import Work, at_once
from controller.ui.pulse import Pulse
from controller.ui.viewer import EVERYTHING
from tests.controller.ui.fleet import WHOLE, FleetOnPaper, fleet
from tests.controller.ui.serving import Served, served
from tests.controller.ui.test_pulse import Kind
from tests.exported_metrics import difference
from tests.fakes.clock import FakeClock

MODEL = {"model": "Qwen/Qwen3-4B"}


class NamesAsTokens:
    """Lets everybody in by the name that is their token; ben may not list nodes."""

    async def admit(self, token: str, also: Collection[str] = ()) -> Admitted:
        return Admitted(token, replace(EVERYTHING, nodes=token != "ben"))


@dataclass(frozen=True)
class Told:
    """A map that is served, and what it tells."""

    site: Served
    metrics: Metrics
    clock: FakeClock
    http: aiohttp.ClientSession

    async def figure(self, name: str, **labels: str) -> float:
        text = (await self.metrics.exposition()).decode()
        samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
        (found,) = (one.value for one in samples if (one.name, one.labels) == (name, labels))
        return found

    async def ask(self, who: str = "anna", **question: str) -> int:
        headers = {"Authorization": f"Bearer {who}"}
        async with self.http.get("api/what-if", params=question, headers=headers) as answer:
            return answer.status


@asynccontextmanager
async def told(
    where: Callable[[Work], Awaitable[bytes]] = at_once, fed: FleetOnPaper | None = None
) -> AsyncIterator[Told]:
    clock, metrics = FakeClock(), Metrics(UI)

    async def nothing() -> None: ...

    pulse = Pulse(nothing, clock)
    async with (
        served(fed or fleet(1), NamesAsTokens(), where=where, limits=Limits(clock)) as site,
        aiohttp.ClientSession(base_url=site.url, timeout=aiohttp.ClientTimeout(10)) as http,
        asyncio.TaskGroup() as group,
    ):
        looking = group.create_task(pulse.run((Kind(PODS), Kind(LEASES))))
        await asyncio.sleep(0)
        observe_map(metrics, site.feed, pulse, site.server)
        yield Told(site, metrics, clock, http)
        looking.cancel()


async def test_every_metric_of_the_map_is_told_before_anybody_looked() -> None:
    async with told() as map_:
        found = difference(UI, [(await map_.metrics.exposition()).decode()])
    assert found.wrong == ()
    assert {name for name in found.missing if name.startswith("aim_ui")} == set()
    assert found.undeclared == set()


async def test_pages_that_are_open_and_what_they_were_sent_are_counted() -> None:
    fed = fleet(1)
    async with told(fed=fed) as map_:
        feed = map_.site.feed
        with feed.subscribed(EVERYTHING) as quick, feed.subscribed(EVERYTHING) as slow:
            await quick.next()
            await slow.next()
            for number in range(MOST_QUEUED + 1):
                fed.wait((f"claim-{number}", *WHOLE[0][1:]))
                feed.tell()
                await quick.next()
            assert await map_.figure("aim_ui_viewers") == 2
            assert await map_.figure("aim_ui_updates_total", result="sent") == 2 + MOST_QUEUED + 1
            assert await map_.figure("aim_ui_updates_total", result="dropped") == MOST_QUEUED + 1
            assert await map_.figure("aim_ui_update_duration_seconds_count") >= MOST_QUEUED + 1
            assert 0 < await map_.figure("aim_ui_update_duration_seconds_sum") < 60
        assert await map_.figure("aim_ui_viewers") == 0


async def test_what_is_shown_has_the_age_of_what_was_heard_last() -> None:
    async with told() as map_:
        map_.clock.tick(3)
        assert await map_.figure("aim_ui_age_seconds", resource="pods") == 3
        assert await map_.figure("aim_ui_age_seconds", resource="leases") == 3


async def test_questions_are_counted_by_what_they_came_to() -> None:
    async with told() as map_:
        assert await map_.ask(**MODEL) == 200
        assert await map_.ask(**MODEL, replicas="many") == 400
        assert await map_.ask("ben", **MODEL) == 403
        for _ in range(int(BURST / (QUESTION + REQUEST)) - 1):
            await map_.ask(**MODEL)
        assert await map_.ask(**MODEL) == 429
        results = {
            result: await map_.figure("aim_ui_what_ifs_total", result=result)
            for result in ("answered", "refused", "limited", "failed")
        }
    assert results == {"answered": 5, "refused": 2, "limited": 1, "failed": 0}


async def test_a_question_that_came_to_nothing_is_counted_as_such() -> None:
    async def never(work: Work) -> bytes:
        raise Apart("no answer within 30 s; ask for less")

    async with told(never) as map_:
        assert await map_.ask(**MODEL) == 503
        assert await map_.figure("aim_ui_what_ifs_total", result="failed") == 1
