"""A proxy before the API server that records each write, and can hold one back or stop the world after it.

Plain HTTP on the loopback towards the operator, the plane's TLS towards the API server; watches stream through.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from e2e.plane import Plane

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PASSES_SECONDS = 30.0
_TAKEN_IN_SECONDS = 0.5
_LONGEST_SOUGHT = 256
_HOP_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True)
class Write:
    """One write that the API server answered: its status tells whether it took effect. `body` is what was sent."""

    method: str
    path: str
    status: int
    body: bytes = field(default=b"", repr=False)

    @property
    def took_effect(self) -> bool:
        return self.status < 300


@dataclass
class RecordingProxy:
    """`hold` is asked about each request before it goes on; `after` hears of each answered write before the caller.

    What is in `awaited` by then passes first, in a watch of whoever watches all objects: the caller is told after that.
    """

    url: str = ""
    writes: list[Write] = field(default_factory=list)
    awaited: dict[bytes, asyncio.Event] = field(default_factory=dict)
    hold: Callable[[str, str], asyncio.Event | None] = field(default=lambda _method, _path: None)
    after: Callable[[Write], None] = field(default=lambda _write: None)


@asynccontextmanager
async def recording_proxy(plane: Plane) -> AsyncIterator[RecordingProxy]:
    """The proxy, listening on a free port."""
    proxy = RecordingProxy()
    context = ssl.create_default_context(cafile=str(plane.ca))
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        app = web.Application(client_max_size=16 << 20)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await _forward(proxy, plane, session, request)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield proxy
        finally:
            await runner.cleanup()


async def _forward(
    proxy: RecordingProxy, plane: Plane, session: aiohttp.ClientSession, request: web.Request
) -> web.StreamResponse:
    held = proxy.hold(request.method, request.path)
    if held is not None:
        await held.wait()
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
    body = await request.read()
    url = f"{plane.server}{request.rel_url}"
    try:
        async with session.request(request.method, url, headers=headers, data=body or None) as answer:
            if request.method not in WRITES:
                return await _stream(proxy, request, answer)
            content = await answer.read()
    except aiohttp.ClientError as error:
        raise web.HTTPBadGateway(text=str(error)) from error
    write = Write(request.method, request.path, answer.status, body)
    proxy.writes.append(write)
    proxy.after(write)
    for passed in list(proxy.awaited.values()):
        if not passed.is_set():
            async with asyncio.timeout(_PASSES_SECONDS):
                await passed.wait()
            await asyncio.sleep(_TAKEN_IN_SECONDS)  # it went over another connection than this answer will
    return web.Response(status=answer.status, body=content, headers=_kept(answer))


async def _stream(proxy: RecordingProxy, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=_kept(answer))
    await response.prepare(request)
    tail, of_all = b"", "fieldSelector" not in request.query
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
        if of_all and proxy.awaited:
            text = tail + chunk
            for sought, passed in proxy.awaited.items():
                if sought in text:
                    passed.set()
            tail = chunk[-_LONGEST_SOUGHT:]  # a text may come in two chunks
    await response.write_eof()
    return response


def _kept(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
