"""The map over HTTP, on a real socket: what is asked for is answered, to whom it is meant, with headers that keep it in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from controller.ui.assets import HEADERS
from controller.ui.differences import applied
from controller.ui.server import MOST_QUESTIONS
from tests.builders.gpu import gpu
from tests.controller.ui.fleet import WHOLE, fleet
from tests.controller.ui.serving import TOKEN, Served, served

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def site() -> AsyncIterator[Served]:
    async with served(fleet(2)) as found:
        yield found


@pytest.fixture
async def http(site: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=site.url, timeout=aiohttp.ClientTimeout(10)) as session:
        yield session


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """Event and data of each message of a stream."""
    name = ""
    async for line in answer.content:
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            yield name, orjson.loads(line[6:])


@pytest.mark.parametrize(
    "path", ["", "main.js", "style.css", "vendor/preact.js", "nothing", "api/state", "api/nothing"]
)
async def test_every_answer_bears_the_headers(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert {name: answer.headers.get(name) for name in HEADERS} == dict(HEADERS)


async def test_the_page_is_there_for_anybody_and_is_not_sent_twice(http: aiohttp.ClientSession) -> None:
    async with http.get("") as answer:
        assert (answer.status, answer.content_type, "<title>GPU map" in await answer.text()) == (200, "text/html", True)
        tag = answer.headers["ETag"]
    async with http.get("", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


@pytest.mark.parametrize("path", ["api/state", "api/events", "api/choices", "api/what-if?model=Qwen/Qwen3-4B"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Cookie": f"token={TOKEN}"}])
async def test_data_is_for_who_has_the_token(http: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> None:
    async with http.get(path, headers=headers) as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "aim-gpu ui printed" in await answer.text()


async def test_a_name_that_somebody_pointed_at_this_machine_is_not_answered(http: aiohttp.ClientSession) -> None:
    for path in ("", "api/state"):
        async with http.get(path, headers=BEARER | {"Host": "evil.example"}) as answer:
            assert answer.status == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_can_be_written(http: aiohttp.ClientSession, method: str) -> None:
    for path in ("", "api/state", "api/what-if"):
        async with http.request(method, path, headers=BEARER, json={}) as answer:
            assert answer.status == 405


async def test_the_stream_begins_with_the_state_and_tells_changes(site: Served, http: aiohttp.ClientSession) -> None:
    async with http.get("api/events", headers=BEARER) as answer:
        stream = events(answer)
        name, first = await anext(stream)
        assert (name, answer.content_type) == ("state", "text/event-stream")
        site.fed.hold("worker-0", gpu(0, "CPX/NPS4"), 3, ("more", "team-a", "Qwen/Qwen3-4B"))
        async with asyncio.timeout(2):
            name, change = await anext(stream)
    async with http.get("api/state", headers=BEARER) as answer:
        now = orjson.loads(await answer.read())
    assert (name, change["since"]) == ("change", first["version"])
    assert applied(first["state"], change["change"]) == now["state"]
    assert set(change["change"]) == {"nodes", "claims"}


async def test_a_page_that_is_closed_is_forgotten(site: Served, http: aiohttp.ClientSession) -> None:
    async with http.get("api/events", headers=BEARER) as answer:
        await anext(events(answer))
        assert site.feed.statistics().clients == 1
        answer.close()
    site.fed.wait(("another", *WHOLE[0][1:]))
    async with asyncio.timeout(30):
        while site.feed.statistics().clients:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)


async def test_questions_are_answered_and_bad_ones_refused(http: aiohttp.ClientSession) -> None:
    async with http.get("api/what-if", params={"model": "Qwen/Qwen3-4B"}, headers=BEARER) as answer:
        assert (answer.status, (await answer.json())["placed"]) == (200, 1)
    async with http.get("api/what-if", params={"model": "x", "replicas": "-1"}, headers=BEARER) as answer:
        assert (answer.status, await answer.text()) == (400, "replicas: '-1' is no number from 1 to 64\n")


async def test_more_questions_than_can_wait_are_sent_away(http: aiohttp.ClientSession) -> None:
    async def ask() -> int:
        async with http.get("api/what-if", params={"model": "Qwen/Qwen3-4B"}, headers=BEARER) as answer:
            return answer.status

    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask()) for _ in range(MOST_QUESTIONS * 4)]
    found = [task.result() for task in asked]
    assert set(found) <= {200, 429}
    assert found.count(200) >= MOST_QUESTIONS


async def test_choices_are_models_namespaces_and_modes(http: aiohttp.ClientSession) -> None:
    async with http.get("api/choices", headers=BEARER) as answer:
        found = await answer.json()
    assert "Qwen/Qwen3-8B" in found["models"]
    assert found["namespaces"] == ["default", "team-a", "team-b", "team-c"]
    assert {"CPX/NPS4", "SPX/NPS1"} <= {*found["modes"]}
