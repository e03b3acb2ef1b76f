"""What a server, or something in front of it, may answer instead of the truth. Each one broke a real client."""

import asyncio
from typing import Any

from aiohttp import web

from controller.runtime.manifest import Manifest
from tests.fakes.api_server import Answer, FakeApiServer, open_stream, send_event, status


def html(code: int) -> Answer:
    """A proxy's error page."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        page = "<html><body><h1>Bad Gateway</h1></body></html>"
        return web.Response(status=code, text=page, content_type="text/html")

    return answer


def refusal(code: int, reason: str, message: str = "no", **more: Any) -> Answer:
    """A Status of that code and reason."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return status(code, reason, message, **more)

    return answer


def gone_in_stream() -> Answer:
    """HTTP 200, then an ERROR event with a 410 in it."""
    expired: Manifest = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    return events(("ERROR", expired))


def events(*sent: tuple[str, Manifest]) -> Answer:
    """A watch that brings these and ends; none at all: an empty answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = await open_stream(request)
        for kind, obj in sent:
            await send_event(stream, kind, obj)
        return stream

    return answer


def lines(*chunks: bytes) -> Answer:
    """A watch that brings these bytes, a write each, and ends."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = await open_stream(request)
        for chunk in chunks:
            await stream.write(chunk)
        return stream

    return answer


def silence() -> Answer:
    """A connection that stays open and says nothing, headers included."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return answer


def cut() -> Answer:
    """The connection breaks before an answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    return answer


def lost_answer(api: FakeApiServer) -> Answer:
    """`api` does what it was asked, and the connection breaks before it can say so."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await api.perform(request)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    return answer


def half_open(*sent: tuple[str, Manifest]) -> Answer:
    """A watch that brings these and then nothing, without ever ending."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = await open_stream(request)
        for kind, obj in sent:
            await send_event(stream, kind, obj)
        await asyncio.Event().wait()
        return stream

    return answer
