"""A connection to an engine: one request goes out, one answer comes in and is passed on piece by piece.

=========  ==============================================  ==========================================================
state      what it waits for                               what ends it otherwise
=========  ==============================================  ==========================================================
at rest    the pool's next request                         bytes nobody asked for, or too long unused: closed
head       the answer's head, `upstream_first_byte`        the engine goes or is silent: the request goes elsewhere,
                                                           for nothing of an answer has been passed on
held       the first piece of a stream, after its head     as above: the head waits here for it, since engines send
                                                           it before the first token
body       the rest, piece by piece, `upstream_silence`    the engine goes or is silent: the client is told in its
                                                           stream, or its connection ends before the body does
=========  ==============================================  ==========================================================

While the client does not read, the engine is not read either.
"""

import asyncio
from math import inf
from typing import TYPE_CHECKING, cast

from controller.gateway.answer import AnswerBody
from controller.gateway.framing import UNTIL_CLOSE, ResponseHead
from controller.gateway.heads import HeadReader
from controller.gateway.malformed import Malformed

if TYPE_CHECKING:
    from controller.gateway.exchange import Exchange
    from controller.gateway.pool import Pool

SMALL_BODY = 16_384
"""Bodies up to here are copied behind their head and sent in one piece; larger ones are handed on as they are."""
SWITCHING_PROTOCOLS = 101
STALE_SECONDS = 1.0
"""After a request has been sent on a kept connection, how late the news may come that it was closed before."""


class UpstreamConnection(asyncio.Protocol):
    """Owned by `pool`. `since`: when it was last put to rest. `served`: requests that it has carried."""

    __slots__ = (
        "_body",
        "_held",
        "_keep",
        "_large",
        "_length",
        "_paused",
        "_read_head",
        "_request",
        "deadline",
        "exchange",
        "head",
        "pool",
        "served",
        "since",
        "slot",
        "transport",
        "wheel",
    )

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.wheel = pool.gateway.wheel
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)  # until connected; nobody has it before
        self.exchange: Exchange | None = None
        self.head: ResponseHead | None = None
        self.served = 0
        self.since = 0.0
        self.deadline = inf
        self.slot = 0
        self._read_head = HeadReader(pool.gateway.response_heads).read
        self._body: AnswerBody | None = None
        self._held = b""
        self._keep = False
        self._large = False
        self._length = 0
        self._paused = False
        self._request: tuple[bytes, ...] = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; the pool decides what for."""
        self.transport = cast("asyncio.Transport", transport)

    def send(self, exchange: "Exchange") -> None:
        """Send a request."""
        self.exchange = exchange
        exchange.upstream = self
        deadline = self.deadline = self.wheel.now + self.pool.gateway.limits.upstream_first_byte_seconds
        if not self.slot:
            self.wheel.watch(self, deadline)
        head, body = self.pool.outgoing(exchange)
        if len(body) <= SMALL_BODY:
            self._request = (head + body,)
        else:
            self._large = True
            self._request = (head, body)
        self.pool.gateway.outbox.send_request(self)

    def write_request(self) -> None:
        """Write the request to the engine, unless it has been withdrawn meanwhile."""
        request, self._request = self._request, ()
        if self.exchange is not None and not self.transport.is_closing():
            for part in request:
                self.transport.write(part)

    def data_received(self, data: bytes) -> None:
        """A piece of the answer."""
        exchange = self.exchange
        if exchange is None:
            self._spoil()
        elif self._body is not None:
            self._pass_on(exchange, self._body, data)
        else:
            if self._held:
                data = self._held + data
                self._held = b""
            try:
                self._take_head(exchange, data)
            except Malformed as error:
                self._fail("BadAnswer", str(error))

    def _take_head(self, exchange: "Exchange", data: bytes) -> None:
        """Reads the answer's head, over any interim ones, and what has come of its body."""
        start = 0
        while True:
            found = self._read_head(data, start)
            if found is None:
                self._held = data[start:]
                return
            head, length, start = found
            if head.status >= 200:
                break
            if head.status == SWITCHING_PROTOCOLS:
                raise Malformed("BadAnswer", "the engine switched to another protocol, unasked")
        rest = data[start:]
        self._keep = head.keep_alive
        if len(rest) == length:
            self._whole(exchange, head, rest)
            return
        self.head, self._length = head, length
        self._body = AnswerBody(length)
        if rest:
            self._pass_on(exchange, self._body, rest)

    def _whole(self, exchange: "Exchange", head: ResponseHead, body: bytes) -> None:
        """The usual end of an answer that is no stream: all of it at once."""
        exchange.begin(head, len(body), body)
        self.deadline = inf
        self._release()
        exchange.finish(body, exchange.begun_at)

    def _pass_on(self, exchange: "Exchange", body: AnswerBody, data: bytes) -> None:
        try:
            taken = body.feed(data)
        except Malformed as error:
            self._fail("BadAnswer", str(error))
            return
        if taken < len(data):
            self._keep = False
            data = data[:taken]
        if exchange.begun:
            exchange.write(data)
        elif self.head is not None:
            exchange.begin(self.head, self._length, data)
            self.wheel.watch(self, self.wheel.now + self.pool.gateway.limits.upstream_silence_seconds)
        if body.ended:
            self._end(exchange, body)
        elif not self._paused:
            self.deadline = self.wheel.now + self.pool.gateway.limits.upstream_silence_seconds

    def _end(self, exchange: "Exchange", body: AnswerBody) -> None:
        end = body.end
        self._body = self.head = None
        self.deadline = inf
        self._release()
        exchange.finish(end)

    def _release(self) -> None:
        self.exchange = None
        self.served += 1
        if self._paused:
            self.resume()
        if self._large:
            self._large = False
            # An answer that comes before its request has been sent whole: the rest would be the next request's.
            self._keep = self._keep and not self.transport.get_write_buffer_size()
        if self._keep and not self.transport.is_closing():
            self.pool.release(self)
        else:
            self.close()

    def pause(self) -> None:
        """Read no more of the answer for now: the client does not keep up."""
        if not self._paused:
            self._paused = True
            self.deadline = inf
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
            self.wheel.watch(self, self.wheel.now + self.pool.gateway.limits.upstream_silence_seconds)

    def eof_received(self) -> bool:
        """The engine has said all it will: the transport closes, and `connection_lost` judges it."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone: the end of an answer without a length, or a failure."""
        self.wheel.forget(self)
        exchange, body = self.exchange, self._body
        if exchange is None:
            self.pool.lost(self)
        elif body is not None and self._length == UNTIL_CLOSE and error is None:
            if not exchange.begun and self.head is not None:
                exchange.begin(self.head, 0, b"")
            self._end(exchange, body)
        else:
            self._fail("EngineLost", f"the engine closed the connection: {error or 'end of stream'}")

    def expire(self, now: float) -> None:  # noqa: ARG002
        """The engine has been silent for too long."""
        if self.exchange is not None:
            self._fail("EngineSilent", "the engine sent nothing for too long")

    def abandon(self) -> None:
        """Nobody wants the answer any more: the engine notices that the connection is gone, and stops."""
        self.exchange = None
        self._abort()

    def close(self) -> None:
        """Close it; nothing is under way."""
        self.wheel.forget(self)
        self.transport.close()

    def _spoil(self) -> None:
        """It sent what nobody asked for; whose answer that is, nobody could say."""
        self.pool.lost(self)
        self._abort()

    def _fail(self, reason: str, message: str) -> None:
        exchange, body = self.exchange, self._body
        self.exchange = self._body = None
        stale = self.served > 0 and body is None and not self._held and reason == "EngineLost" and self._just_sent()
        self._abort()
        if exchange is None:
            return
        if exchange.begun:
            exchange.broken(reason, message, between_events=body is not None and body.between_events)
        elif stale and not exchange.resent:
            exchange.send_again()
        else:
            exchange.not_answered(reason, message)

    def _just_sent(self) -> bool:
        """Whether the request is so fresh that the engine may have closed the connection before it came."""
        sent = self.deadline - self.pool.gateway.limits.upstream_first_byte_seconds
        return self.wheel.now - sent < STALE_SECONDS

    def _abort(self) -> None:
        self.wheel.forget(self)
        self.transport.abort()
