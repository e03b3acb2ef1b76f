"""An engine that a test scripts: it hears whole requests and sends what the test says, byte by byte if need be.

`Engine.requests` has what came; `answers` says what each gets: bytes, or a function of the connection. It runs on the
test's own loop, on a port of its own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, cast

from controller.gateway.framing import RequestHead, parse_request_head

JSON = b'{"id":"x","choices":[{"text":"hi"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}'


def answer(body: bytes = JSON, *, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """A whole answer with a length."""
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b" % (
        status,
        headers,
        len(body),
        body,
    )


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


def event(data: bytes) -> bytes:
    """An event of a stream, in a chunk of its own."""
    text = b"data: %b\n\n" % data
    return b"%x\r\n%b\r\n" % (len(text), text)


@dataclass
class Received:
    """One request as it came."""

    head: RequestHead
    raw_head: bytes
    body: bytes


class EngineConnection(asyncio.Protocol):
    """The engine's end of one connection. `lost` is set once the gateway has closed it."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.lost = asyncio.Event()
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.engine.connections.append(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost.set()

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._held += data
        end = self._held.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = parse_request_head(self._held[:end])
        if len(self._held) < end + head.length:
            return
        body, raw = self._held[end : end + head.length], self._held[:end]
        self._held = self._held[end + head.length :]
        self.engine.hear(self, Received(head, raw, body))


Answer = bytes | Callable[[EngineConnection], None]


@dataclass
class Engine:
    """`answers` are used in their order, the last one for all that follow."""

    answers: list[Answer] = field(default_factory=lambda: [answer()])
    requests: list[Received] = field(default_factory=list)
    connections: list[EngineConnection] = field(default_factory=list)
    port: int = 0

    def hear(self, connection: EngineConnection, request: Received) -> None:
        """A request has come."""
        self.requests.append(request)
        reply = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if callable(reply):
            reply(connection)
        else:
            connection.send(reply)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: EngineConnection(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Close everything, as a pod that is killed does."""
        self._server.close()
        for connection in self.connections:
            connection.transport.abort()
        await asyncio.sleep(0)

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.stop()


def silent(_connection: EngineConnection) -> None:
    """No answer at all."""


def dies(connection: EngineConnection) -> None:
    """The connection is reset instead of an answer."""
    connection.transport.abort()
