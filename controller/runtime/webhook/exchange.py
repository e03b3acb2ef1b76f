"""Reading a review's body and sending the answer: what is refused, with which status, and how long anybody waits."""

import asyncio
from collections.abc import Iterable, Iterator

from aiohttp import web

from controller.runtime.webhook.review import Reply

# A client that sends a review slower than this is broken, or wants to keep us busy.
BODY_SECONDS = 10.0
# A longer answer is written bit by bit, so that neither the transport's buffer nor the TLS layer gets all at once.
_WRITE_BYTES = 256 * 1024


class Refused(Exception):
    """A request that is no review: the HTTP status (4xx), a sentence for the sender, headers of the answer."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


async def read_body(request: web.Request, limit_bytes: int, limit_seconds: float = BODY_SECONDS) -> bytes:
    """The body of a POST of JSON. Raises Refused, and ConnectionError when the sender goes away."""
    if request.method != "POST":
        raise Refused(405, f"method {request.method}: send a POST", {"Allow": "POST"})
    if request.content_type != "application/json":
        raise Refused(415, f"Content-Type {request.content_type!r}: send application/json")
    if encoding := request.headers.get("Content-Encoding"):
        # A small compressed body may become a very large one; no API server compresses reviews.
        raise Refused(415, f"Content-Encoding {encoding!r}: send the body as it is")
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        async with asyncio.timeout(limit_seconds):
            return await _read(request, limit_bytes)
    except TimeoutError as error:
        raise Refused(408, f"body: not there within {limit_seconds:g} s; send it faster") from error
    except web.RequestPayloadError as error:
        raise Refused(400, f"body: {error}; send what the headers announce") from error


async def send(request: web.Request, reply: Reply, headers: dict[str, str] | None = None) -> web.StreamResponse:
    """Answer with `reply`, in writes of 256 KiB. Raises ConnectionError when the asker goes away."""
    size = sum(map(len, reply.pieces))
    if size <= _WRITE_BYTES:
        return web.Response(
            status=reply.status, body=b"".join(reply.pieces), content_type=reply.content_type, headers=headers
        )
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_type, response.content_length = reply.content_type, size
    await response.prepare(request)
    for written in _gathered(reply.pieces):
        await response.write(written)
    await response.write_eof()
    return response


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        for start in range(0, len(piece), _WRITE_BYTES):
            part = piece[start : start + _WRITE_BYTES]
            waiting.append(part)
            size += len(part)
            if size >= _WRITE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


async def _read(request: web.Request, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := await request.content.readany():
        size += len(piece)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit_bytes: int) -> Refused:
    return Refused(413, f"body: over {limit_bytes} bytes; send fewer or smaller objects")
