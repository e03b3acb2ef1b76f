from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from e2e.run.traffic.caller import Caller

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def caller(answer: Answer) -> AsyncIterator[Caller]:
    application = web.Application()
    application.router.add_post("/v1/chat/completions", answer)
    async with TestServer(application) as server, aiohttp.ClientSession(str(server.make_url("/"))) as session:
        yield Caller(session, {"team": "sk-1"})


def streaming(*events: bytes) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer sk-1"
        response = web.StreamResponse()
        await response.prepare(request)
        for event in events:
            await response.write(b"data: " + event + b"\n\n")
        return response

    return answer


TOKEN = b'{"choices": [{"delta": {"content": "a"}}]}'
USAGE = b'{"choices": [], "usage": {}}'


async def test_an_answer_is_measured_from_its_events() -> None:
    async with caller(streaming(TOKEN, TOKEN, USAGE, b"[DONE]")) as asking:
        sent = await asking.send("team/chat", "hello", 2)
    assert (sent.answered, sent.tokens, sent.service) == (True, 2, "team/chat")
    assert sent.first is not None
    assert sent.whole is not None
    assert 0 < sent.first <= sent.whole


@pytest.mark.parametrize(
    ("events", "want"),
    [
        pytest.param([TOKEN], "CutOff", id="it ends without its end"),
        pytest.param([TOKEN, b'{"error": {"code": "UpstreamFailed"}}'], "UpstreamFailed", id="an error in the stream"),
    ],
)
async def test_a_stream_that_was_not_whole(events: list[bytes], want: str) -> None:
    async with caller(streaming(*events)) as asking:
        sent = await asking.send("team/chat", "hello", 2)
    assert (sent.answered, sent.reason, sent.tokens) == (False, want, 1)


async def test_a_refusal_has_the_gateways_reason() -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"X-Aim-Reason": "QueueFull"})

    async with caller(refuse) as asking:
        assert (await asking.send("team/chat", "hello", 2)).reason == "QueueFull"


async def test_nobody_there_is_a_reason_too() -> None:
    async with aiohttp.ClientSession("http://127.0.0.1:1") as session:
        assert (await Caller(session, {}).send("team/chat", "hello", 2)).reason == "ClientConnectorError"


async def test_every_request_has_an_id_of_its_own() -> None:
    async with caller(streaming(b"[DONE]")) as asking:
        assert len({(await asking.send("team/chat", "hello", 2)).request for _ in range(3)}) == 3
