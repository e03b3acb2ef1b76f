"""The engine behind every gateway that is compared: answers at once, and the same bytes each time.

A process of its own: `python -m tests.benchmarks.gateway.mock_engine PORT`. It computes nothing, so that on the core that
it shares with the load generator as much as possible is left to measure. Chat completions that ask for a stream get
`CHUNKS` events, each by a write of its own in a turn of the loop of its own, so that nothing comes in larger pieces than
an engine would send. What routers ask engines for besides (health, models, server information) is answered too.
"""

import asyncio
import json
import sys
from functools import partial
from typing import Final, cast

import uvloop

MODEL: Final = "mock/model-0"
CHUNKS: Final = 50
_CREATED: Final = 1_700_000_000
_USAGE: Final = {"prompt_tokens": 200, "completion_tokens": CHUNKS, "total_tokens": 200 + CHUNKS}


def _response(content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _json(value: object) -> bytes:
    return _response("application/json", json.dumps(value).encode())


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    value = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": _CREATED, "model": MODEL}
    return b"data: " + json.dumps(value | {"choices": [choice]}).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_MESSAGE: Final = {"role": "assistant", "content": "As much text as a short answer has. " * 6}
ANSWER: Final = _json(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": _CREATED,
        "model": MODEL,
        "choices": [{"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
)
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_USAGE_EVENT: Final = b"data: " + json.dumps({"id": "chatcmpl-0", "choices": [], "usage": _USAGE}).encode() + b"\n\n"
STREAM: Final = (
    *(_chunk(_event({"content": " token"})) for _ in range(CHUNKS - 1)),
    _chunk(_event({}, "stop") + _USAGE_EVENT + b"data: [DONE]\n\n") + b"0\r\n\r\n",
)
_FACTS: Final = _json(
    {
        "status": "ok",
        "object": "list",
        "data": [{"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "mock"}],
        "model_path": MODEL,
        "served_model_name": MODEL,
        "is_generation": True,
        "version": "0.11.0",
    }
)


class MockEngine(asyncio.Protocol):
    """One connection. Requests have a Content-Length or no body, and are not pipelined: those who send them don't."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        held = self._held + data if self._held else data
        end = held.find(b"\r\n\r\n")
        if end < 0 or len(held) < end + 4 + _content_length(held, end):
            self._held = held
            return
        self._held = b""
        assert self._transport is not None
        if not held.startswith(b"POST"):
            self._transport.write(_FACTS)
        elif held.find(b'"stream":true', end) >= 0 or held.find(b'"stream": true', end) >= 0:
            self._transport.write(STREAM_HEAD)
            self._loop.call_soon(self._send, 0)
        else:
            self._transport.write(ANSWER)

    def _send(self, index: int) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        self._transport.write(STREAM[index])
        if index + 1 < len(STREAM):
            self._loop.call_soon(self._send, index + 1)


def _content_length(data: bytes, end: int) -> int:
    """The length that the head, which ends at `end`, states; 0 without one."""
    start = data.find(b"ontent-length:", 0, end)
    if start < 0:
        start = data.find(b"ontent-Length:", 0, end)
    if start < 0:
        return 0
    return int(data[start + 14 : data.find(b"\r", start)])


async def serve(port: int) -> None:
    """Answer on the loopback address until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(MockEngine, loop), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
