"""The map as it is served to several people in a cluster: each sees theirs, and keeps to their share."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from controller.runtime.clock import RealClock
from controller.ui import rights
from controller.ui.apart import apart
from controller.ui.limits import MOST_QUESTIONS, Limits
from controller.ui.planner import Work
from controller.ui.review_gate import ReviewGate
from tests.builders.gpu import gpu
from tests.controller.ui.fleet import fleet
from tests.controller.ui.reviews import AUDIENCE, Cluster, reviewing
from tests.controller.ui.serving import Served, served
from tests.controller.ui.test_server import events

KINDS = ("gpunodes", "modelprofiles")
SLOW_SECONDS = 1.0
ANNA = {"Authorization": "Bearer anna"}
MODEL = {"model": "Qwen/Qwen3-4B", "namespace": "team-a"}


@dataclass(frozen=True)
class Site:
    """A map that a few people share, and who may list what."""

    served: Served
    cluster: Cluster
    http: aiohttp.ClientSession


async def slowly(work: Work) -> bytes:
    """As the process plans, and longer."""

    def slow() -> bytes:
        time.sleep(SLOW_SECONDS)
        return work()

    return await apart(slow, 30)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr("controller.ui.server.LOOK_SECONDS", 0.05)
    monkeypatch.setattr(rights, "ALLOWED_SECONDS", 0.1)
    clock, fed = RealClock(), fleet(3)
    async with reviewing() as cluster:
        cluster.users |= {"ben": ("ben", AUDIENCE)}
        cluster.let("anna", "team-a")
        cluster.let("ben", "team-b")
        cluster.may |= {("anna", kind, "") for kind in KINDS}
        named = {key.partition("/")[0] for key, _ in fed.cluster.claim_table.items()}
        gate = ReviewGate(cluster.client, clock, (AUDIENCE,), lambda: named)
        async with (
            served(fed, gate, where=slowly, limits=Limits(clock)) as running,
            aiohttp.ClientSession(base_url=running.url, timeout=aiohttp.ClientTimeout(20)) as http,
        ):
            yield Site(running, cluster, http)


async def state(site: Site, who: str) -> Any:
    async with site.http.get("api/state", headers={"Authorization": f"Bearer {who}"}) as answer:
        assert answer.status == 200
        return orjson.loads(await answer.read())["state"]


def namespaces(found: Any) -> set[str]:
    return {row["namespace"] for name in ("claims", "services") for row in found[name].values()}


async def test_each_sees_their_namespaces_and_counts_of_the_rest(site: Site) -> None:
    anna, ben = await state(site, "anna"), await state(site, "ben")
    assert (namespaces(anna), namespaces(ben)) == ({"team-a"}, {"team-b"})
    assert len(anna["nodes"]) == 3
    assert (ben["nodes"], ben["others"]["nodes"]) == ({}, 3)
    assert len(anna["claims"]) + anna["others"]["claims"] == len(ben["claims"]) + ben["others"]["claims"]
    assert "team-b" not in str(anna)
    assert "team-a" not in str(ben)


async def test_rights_that_end_take_their_rows_along_on_a_page_that_is_open(site: Site) -> None:
    async with site.http.get("api/events", headers=ANNA) as answer:
        stream = events(answer)
        assert namespaces((await anext(stream))[1]["state"]) == {"team-a"}
        site.cluster.may = {each for each in site.cluster.may if each[2] != "team-a"}
        async with asyncio.timeout(60):
            name, told = await anext(stream)
        assert (name, namespaces(told["state"]), len(told["state"]["nodes"])) == ("state", set(), 3)


async def test_a_token_that_ends_closes_the_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site.http.get("api/events", headers=ANNA) as answer:
        stream = events(answer)
        await anext(stream)
        monkeypatch.setattr("controller.runtime.authorization._Answers.get", lambda *_: None)
        site.cluster.users.clear()
        async with asyncio.timeout(60):
            assert [name async for name, _ in stream if name == "state"] == []
    async with site.http.get("api/events", headers=ANNA) as answer:
        assert answer.status == 401


async def test_updates_arrive_while_a_plan_takes_long(site: Site) -> None:
    async with site.http.get("api/events", headers=ANNA) as answer:
        stream = events(answer)
        await anext(stream)

        async def ask() -> tuple[int, float]:
            async with site.http.get("api/what-if", params=MODEL, headers=ANNA) as told:
                return told.status, time.monotonic()

        async with asyncio.TaskGroup() as group:
            asked = group.create_task(ask())
            await asyncio.sleep(SLOW_SECONDS / 4)
            site.served.fed.hold("worker-0", gpu(0, "CPX/NPS4"), 3, ("more", "team-a", "Qwen/Qwen3-4B"))
            name, _ = await anext(stream)
            arrived = time.monotonic()
    status, answered = asked.result()
    assert (name, status, arrived < answered) == ("change", 200, True)


async def test_a_plan_is_refused_to_who_may_not_list_nodes(site: Site) -> None:
    async with site.http.get("api/what-if", params=MODEL, headers={"Authorization": "Bearer ben"}) as answer:
        assert (answer.status, "right to list gpunodes" in await answer.text()) == (403, True)


async def test_a_plan_in_a_namespace_of_others_is_refused(site: Site) -> None:
    async with site.http.get("api/what-if", params={**MODEL, "namespace": "team-b"}, headers=ANNA) as answer:
        assert (answer.status, "none that you may see" in await answer.text()) == (400, True)


async def test_a_person_keeps_to_their_share_of_questions(site: Site) -> None:
    async def ask(who: str) -> int:
        async with site.http.get("api/what-if", params=MODEL, headers={"Authorization": f"Bearer {who}"}) as answer:
            return answer.status

    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask("anna")) for _ in range(MOST_QUESTIONS + 2)]
    assert sorted(task.result() for task in asked) == [200] * MOST_QUESTIONS + [429] * 2


async def test_choices_name_namespaces_that_may_be_listed_and_have_nothing_yet(site: Site) -> None:
    site.cluster.let("anna", "default")
    async with site.http.get("api/choices", headers=ANNA) as answer:
        assert (await answer.json())["namespaces"] == ["default", "team-a"]
