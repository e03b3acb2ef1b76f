import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from e2e.run.traffic import caller, flood
from e2e.run.traffic.caller import NotServed
from e2e.run.traffic.judgement import Roles
from e2e.run.traffic.traffic import Traffic, asking
from tests.builders.gateway_configuration import KEY
from tests.e2e.run.traffic.stage import ROLES, Stage, stage

TOKENS = {"team-a": KEY.decode()}
BOTH = (ROLES.neighbour, ROLES.flooded)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood.Flood.play, "__defaults__", (0.5, 1.0, 1.0, 1.0))
    monkeypatch.setattr(caller, "REACH_SECONDS", 2.0)


@asynccontextmanager
async def traffic(found: Stage, roles: Roles | None) -> AsyncIterator[Traffic]:
    async with asking(found.url, TOKENS, roles, found) as asked:
        yield asked


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is looked at now and then
            await asyncio.sleep(0.02)


async def test_services_that_run_are_asked_steadily() -> None:
    async with stage() as found, traffic(found, None) as asked:
        assert asked.done
        asked.look(BOTH, found.services, quiet=False)
        await until(lambda: set(asked.latencies.answered) == set(BOTH))
        assert [one.service for one in asked.figures()] == sorted(BOTH)


async def test_the_scene_waits_until_all_is_quiet_and_is_judged() -> None:
    async with stage() as found, traffic(found, ROLES) as asked:
        asked.look(BOTH, found.services, quiet=False)
        await asyncio.sleep(0.3)
        assert (asked.latencies.answered.total(), asked.done) == (0, False)
        asked.look(BOTH, found.services, quiet=True)
        await until(lambda: asked.flooding)
        await until(lambda: asked.done)
        assert asked.judgement is not None
        assert asked.judgement.most_flooded == ROLES.maximum
        assert not asked.flooding


async def test_a_guarantee_that_is_not_kept_stays_a_problem() -> None:
    async with stage(maximum=None) as found, traffic(found, ROLES) as asked:
        asked.look(BOTH, found.services, quiet=True)
        await until(lambda: asked.done)
        assert any("requests in flight, 6 may be" in problem for problem in asked.problems)


async def test_a_service_that_nobody_answers_for_ends_the_run() -> None:
    async def ask() -> None:
        async with traffic(found, None) as asked:
            asked.look(["team-a/other"], {}, quiet=True)
            await asyncio.sleep(10)

    async with stage() as found:
        with pytest.raises(NotServed, match="team-a/other runs, and after 2 s the gateway still says ModelNotFound"):
            await ask()
