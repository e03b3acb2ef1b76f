"""The fast end of the simulation: the same answer to everybody, at once, for a few microseconds. For benchmarks only.

What stands behind a gateway that is measured must cost far less than the gateway. So this speaks just enough HTTP for
the clients of benchmarks: requests with a Content-Length, or chunked ones whose last chunk has no trailers. Nothing is
checked, nothing recorded.
"""

import asyncio
import sys
from dataclasses import dataclass
from typing import Final, cast

import msgspec
import uvloop

from e2e.engine import openai
from e2e.engine.openai import Asked, Task
from e2e.plane.ports import LOOPBACK

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_REMEMBERED_HEADS: Final = 256


@dataclass(frozen=True, slots=True)
class Shape:
    """`chunks`: events of a streamed answer, each sent by itself; `answer_bytes`: text of one that is not."""

    chunks: int = 50
    answer_bytes: int = 800


class Answers:
    """The bytes of every answer, made once."""

    def __init__(self, shape: Shape) -> None:
        model = "simulated/model"
        streamed = Asked(Task.CHAT, model, prompt_tokens=16, output_tokens=shape.chunks, include_usage=True)
        events = list(openai.chunks(streamed, "simulated", 0, 0, shape.chunks, last=True))
        whole = msgspec.json.decode(openai.answer(streamed, "simulated", 0))
        whole["choices"][0]["message"]["content"] = "x" * shape.answer_bytes
        self.whole = _response(b"application/json", msgspec.json.encode(whole))
        listed = {"object": "list", "data": [{"id": model, "object": "model", "created": 0, "owned_by": "simulated"}]}
        self.models = _response(b"application/json", msgspec.json.encode(listed))
        head = b"HTTP/1.1 200 OK\r\nX-Simulated: aim-gpu-sharing\r\nContent-Type: text/event-stream\r\n"
        self.stream = [head + b"Transfer-Encoding: chunked\r\n\r\n", *map(_chunk, events), _LAST_CHUNK]


class Mock(asyncio.Protocol):
    """One connection. `heads` remembers what follows a head of these very bytes."""

    def __init__(self, answers: Answers, heads: dict[bytes, int | None]) -> None:
        self._answers = answers
        self._heads = heads
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """It is gone: nothing more is sent."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        buffer = self._buffer + data if self._buffer else data
        while buffer:
            end = buffer.find(_END) + 4
            whole = self._length(buffer, end) if end > 3 else None
            if whole is None or len(buffer) < whole:
                break
            self._answer(buffer, end, whole)
            buffer = buffer[whole:]
        self._buffer = buffer

    def _length(self, buffer: bytes, end: int) -> int | None:
        """Bytes of the first request, None while that is not known."""
        head = buffer[:end]
        body = self._heads.get(head, -1)
        if body == -1:
            if len(self._heads) >= _REMEMBERED_HEADS:
                self._heads.clear()
            body = self._heads[head] = _body_length(head)
        if body is not None:
            return end + body
        last = buffer.find(_LAST_CHUNK, end)
        return None if last < 0 else last + len(_LAST_CHUNK)

    def _answer(self, buffer: bytes, end: int, whole: int) -> None:
        assert self._transport is not None
        if buffer.startswith(b"GET"):
            self._transport.write(self._answers.models)
        elif buffer.find(b'"stream":true', end, whole) > 0 or buffer.find(b'"stream": true', end, whole) > 0:
            self._transport.write(self._answers.stream[0])
            asyncio.get_running_loop().call_soon(self._event, 1)
        else:
            self._transport.write(self._answers.whole)

    def _event(self, number: int) -> None:
        """One event, and the next in the loop's next round: each goes out by itself, as an engine's tokens do."""
        if self._transport is None:
            return
        self._transport.write(self._answers.stream[number])
        if number + 1 < len(self._answers.stream):
            asyncio.get_running_loop().call_soon(self._event, number + 1)


async def listen(port: int, shape: Shape) -> asyncio.Server:
    """A mock on the loopback address that listens. Raises OSError."""
    answers, heads = Answers(shape), dict[bytes, int | None]()
    return await asyncio.get_running_loop().create_server(lambda: Mock(answers, heads), LOOPBACK, port, backlog=4096)


def run(port: int, shape: Shape) -> None:
    """Listen until interrupted, on uvloop; prints the port."""

    async def forever() -> None:
        server = await listen(port, shape)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()

    uvloop.run(forever())


def _body_length(head: bytes) -> int | None:
    """Of a head with a Content-Length or without a body; None: the body is chunked."""
    lower = head.lower()
    if b"\r\ntransfer-encoding:" in lower:
        return None
    at = lower.find(b"\r\n" + _LENGTH)
    return int(lower[at + 2 + len(_LENGTH) : lower.index(b"\r\n", at + 2)]) if at >= 0 else 0


def _response(kind: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nX-Simulated: aim-gpu-sharing\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)
