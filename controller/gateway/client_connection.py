"""A client's connection: requests are read from it one at a time, and each is answered before the next one is begun.

==========  ====================================================  ==================================================
state       what it waits for, and for how long                   bytes that come meanwhile
==========  ====================================================  ==================================================
IDLE        a request's first byte, `idle`                        begin a head
HEAD        the rest of a head, `head`                            belong to it
ASKING      whether the key is good, by who knows that            are held too
BODY        the rest of a body, `body`                            belong to it
ANSWERING   the dispatcher, then the engine, by their limits      are the next request's: held, up to `buffer_bytes`
LINGERING   the client's end, after an answer that closes, 1 s    are thrown away
CLOSED      nothing
==========  ====================================================  ==================================================

What is beyond `buffer_bytes` is not read, so the end of a client that has sent so much ahead is looked for, each
`LOOK_SECONDS`, and behind more than the system holds it is seen when it is answered. The end of any other client, in
any state, cancels its request: one that has sent all it wants and closes its side looks like one that has gone, and no
client of this API does that. A client that leaves its answer unread stops the engine's connection from being read, and
after `write` its request is cancelled.
"""

import asyncio
from collections.abc import Awaitable
from math import inf
from typing import TYPE_CHECKING, Final, cast

from controller.gateway.answer import Unchunker
from controller.gateway.body import BadBody, read_body
from controller.gateway.chunks import ChunkedBody, too_large
from controller.gateway.configuration import Caller
from controller.gateway.errors import Problem, error_answer, too_many_sequences
from controller.gateway.exchange import Exchange, framing_line
from controller.gateway.framing import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from controller.gateway.heads import HeadReader
from controller.gateway.leads import RequestLead, answer_lead, request_lead
from controller.gateway.liveness import is_gone
from controller.gateway.malformed import Malformed
from controller.gateway.reset import reset
from controller.gateway.sized_body import SizedBody
from controller.gateway.upstream import SMALL_BODY

if TYPE_CHECKING:
    from controller.gateway.gateway import Found, Gateway
    from controller.gateway.server import Server

IDLE: Final = 0
HEAD: Final = 1
ASKING: Final = 2
BODY: Final = 3
ANSWERING: Final = 4
LINGERING: Final = 5
CLOSED: Final = 6

LINGER_SECONDS = 1.0
"""What is left of a refused body is read for this long, so that the answer is not lost in a reset."""
LOOK_SECONDS = 1.0
"""How often a client that has sent more than is held is looked at, for as it is not read, its end tells nobody."""
_KEPT = b""
"""What is said of a connection that is kept, in HTTP/1.1: nothing."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientConnection(asyncio.Protocol):
    """Owned by `server`. `request_id` and `head` are of the request at hand."""

    __slots__ = (
        "_body",
        "_caller",
        "_held",
        "_keep",
        "_left",
        "_paused",
        "_read_head",
        "_reading",
        "_reserved",
        "_unframed",
        "address",
        "deadline",
        "exchange",
        "gateway",
        "head",
        "request_id",
        "server",
        "slot",
        "state",
        "transport",
    )

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.gateway: Gateway = server.gateway
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)  # until connected; nobody has it before
        self.address = ""
        self.state = IDLE
        self.exchange: Exchange | None = None
        self.head: RequestHead = cast("RequestHead", None)  # of the request at hand; there is none before the first
        self.request_id = b""
        self.deadline = inf
        self.slot = 0
        self._read_head = HeadReader(self.gateway.request_heads).read
        self._held = b""
        self._left = 0
        self._body: ChunkedBody | SizedBody | None = None
        self._caller: Caller | Problem | None = None
        self._keep = True
        self._paused = False
        self._reading = True
        self._reserved = 0
        self._unframed = False

    # --- the transport's calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected: the server decides whether there is room."""
        self.transport = cast("asyncio.Transport", transport)
        if self.server.admit(self):
            self.transport.set_write_buffer_limits(self.gateway.limits.buffer_bytes)
            self.gateway.wheel.watch(self, self.gateway.wheel.now + self.gateway.limits.idle_seconds)
        else:
            self.state = CLOSED
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        state = self.state
        if state <= HEAD:
            if self._held:
                data = self._held + data
                self._held = b""
            self._read(data)
        elif self._body is not None:
            self._read_body(self._body, data, 0)
        elif state <= ANSWERING:
            self._held += data
            if len(self._held) > self.gateway.limits.buffer_bytes:
                self._pause_reading()

    def eof_received(self) -> bool:
        """The client has gone: `connection_lost` follows, as the transport closes."""
        return False

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """The client has gone, or we have closed."""
        self.state = CLOSED
        self._held, self._body = b"", None
        self.gateway.wheel.forget(self)
        self.server.lost(self)
        self._cancel()
        self._release()

    def pause_writing(self) -> None:
        """The client does not keep up: read its engine no further, and wait for it only so long."""
        self._paused = True
        if self.exchange is not None and self.exchange.upstream is not None:
            self.exchange.upstream.pause()
        self.gateway.wheel.watch(self, self.gateway.wheel.now + self.gateway.limits.write_seconds)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        if self.exchange is not None and self.exchange.upstream is not None:
            self.exchange.upstream.resume()
        if self.state == ANSWERING:
            self.deadline = inf
        elif self.state == IDLE:
            self.deadline = self.gateway.wheel.now + self.gateway.limits.idle_seconds
            self._resume_reading()
            self.gateway.loop.call_soon(self._next)

    def expire(self, now: float) -> None:
        """What it waited for has not come in time."""
        limits = self.gateway.limits
        if self.state == HEAD:
            self._refuse(Problem(408, "HeadTimeout", f"the head was not whole after {limits.head_seconds:g} s"))
        elif self.state == BODY:
            self._refuse(Problem(408, "BodyTimeout", f"the body was not whole after {limits.body_seconds:g} s"))
        elif self.state == ASKING:
            self.gateway.wheel.watch(self, now + limits.idle_seconds)
        elif self.state == ANSWERING and not self._paused and not is_gone(self.transport):
            self.gateway.wheel.watch(self, now + LOOK_SECONDS)
        elif self.state == ANSWERING or self._paused or self.transport.is_closing():
            self._cancel()
            self.transport.abort()
        else:
            self.close()

    # --- requests ---

    def _read(self, data: bytes) -> None:
        """Reads a request from its first byte on."""
        try:
            found = self._read_head(data)
        except Malformed as error:
            self._refuse_malformed(error)
            return
        if found is None:
            self._held = data
            if self.state == IDLE and data:
                self.state = HEAD
                self.gateway.wheel.watch(self, self.gateway.wheel.now + self.gateway.limits.head_seconds)
            return
        self.head, self._left, start = found
        head = self.head
        gateway = self.gateway
        self.request_id = head.request_id or gateway.next_request_id()
        self._keep = head.keep_alive and not gateway.draining
        token = head.token
        caller = gateway.find_caller(token) if token is not None else gateway.serving.anybody
        if caller is None or isinstance(caller, (Caller, Problem)):  # a union is made anew each time
            self._take(caller, data, start)
            return
        self.state = ASKING
        self.deadline = inf
        self._held = data[start:]
        gateway.start(self._ask(caller), "ask who a token is")

    async def _ask(self, answer: "Awaitable[Found]") -> None:
        caller = await self.gateway.ask(answer)
        if self.state == ASKING:
            held, self._held = self._held, b""
            self._resume_reading()
            self._take(caller, held, 0)

    def _take(self, caller: Caller | Problem | None, data: bytes, start: int) -> None:
        """Goes on with a request whose head is read and whose caller is known."""
        self._caller = caller
        left = self._left
        if 0 <= left <= len(data) - start and left <= self.gateway.limits.body_bytes:
            end = start + left
            self._held = data[end:]
            self._begin(data[start:end])
            return
        refusal = self._refusal_before_body(left)
        if refusal is not None:
            self._refuse(refusal)
            return
        self.state = BODY
        self._body = ChunkedBody(self.gateway.limits.body_bytes) if left == CHUNKED else SizedBody(left)
        if self.head.expects_continue:
            self.gateway.outbox.flush()
            self.transport.write(_CONTINUE)
        self.gateway.wheel.watch(self, self.gateway.wheel.now + self.gateway.limits.body_seconds)
        if start < len(data):
            self._read_body(self._body, data, start)

    def _read_body(self, body: "ChunkedBody | SizedBody", data: bytes, start: int) -> None:
        if not self._reserve(len(data) - start):
            self._refuse(_FULL)
            return
        try:
            end = body.feed(data, start)
        except Malformed as error:
            self._refuse_malformed(error)
            return
        if body.ended:
            self._body = None
            self._held = data[end:]
            self._begin(body.whole())

    def _begin(self, body: bytes) -> None:
        """A whole request: it is answered here, or goes to the dispatcher."""
        head, gateway, caller = self.head, self.gateway, self._caller
        self.state = ANSWERING
        self.deadline = inf
        lead = request_lead(head)
        if lead.asks_engine and isinstance(caller, Caller):
            self._dispatch(lead, body, caller)
            return
        operation = lead.operation
        if isinstance(operation, Problem):
            page = gateway.peer_pages.get(head.path) if self.server.for_peers else None
            self._answer_json(operation if page is None else page())
        elif not isinstance(caller, Caller):
            self.answer_problem(caller or gateway.unknown_caller(head.token))
        elif head.encoded:
            self.answer_problem(_ENCODED)
        else:
            self._answer_json(gateway.models(caller, head.host, head.path))

    def _dispatch(self, lead: RequestLead, body: bytes, caller: Caller) -> None:
        gateway = self.gateway
        asked = read_body(body)
        if isinstance(asked, BadBody):
            self.answer_problem(Problem(400, "BadBody", asked.message, param=asked.param))
            return
        if asked.sequences > gateway.limits.sequences and lead.generates:
            self.answer_problem(too_many_sequences(asked.sequences, gateway.limits.sequences))
            return
        now = gateway.time()
        lane = gateway.serving.lane(asked.model, caller, self.head.host)
        if isinstance(lane, Problem):
            self.answer_problem(lane)
            return
        exchange = self.exchange = Exchange(self, lane, lead.lead, body, asked, tenant=caller.tenant, now=now)
        if lead.timeout is not None:
            exchange.deadline = now + lead.timeout
        exchange.timed = asked.stream or not lead.generates
        gateway.route(exchange, now)

    def _refusal_before_body(self, left: int) -> Problem | None:
        """Why the rest of a body is not worth waiting for."""
        if left > self.gateway.limits.body_bytes:
            error = too_large(self.gateway.limits.body_bytes)
            return Problem(error.status, error.reason, error.message)
        operation = request_lead(self.head).operation
        if isinstance(operation, Problem):
            return operation
        if not isinstance(self._caller, Caller):
            return self._caller or self.gateway.unknown_caller(self.head.token)
        return None

    # --- answers ---

    def begin_answer(self, exchange: Exchange, head: ResponseHead, length: int, data: bytes) -> None:
        """Pass on an engine's head, and the first of its body; the rest goes through `exchange.write` as it comes."""
        http10 = self.head.http10
        if http10 and length == CHUNKED:
            exchange.write = Unchunker(self.write).write
            length = UNTIL_CLOSE
        if length == UNTIL_CLOSE:
            self._keep = False
            self._unframed = True
        if self._reserved:
            self._release()
        lead = b"%b%bx-request-id: %b\r\n%b\r\n" % (
            answer_lead(head, of_replica=exchange.of_replica),
            b"content-length: %d\r\n" % length if length > 0 else framing_line(head.status, length),
            self.request_id,
            _KEPT if self._keep and not http10 else self._connection_line(),
        )
        if self._paused and exchange.upstream is not None:
            exchange.upstream.pause()  # the answers before have not been read yet
        if http10:
            self.write(lead)
            exchange.write(data)
        elif len(data) <= SMALL_BODY:
            self.gateway.outbox.send_answer(self.transport, lead + data)
        else:
            self.write(lead)
            self.write(data)

    def write(self, data: bytes) -> None:
        """Pass on a piece of an answer."""
        self.gateway.outbox.send_answer(self.transport, data)

    def answered(self) -> None:
        """The answer has been written whole: on to the next request, or to the end."""
        self.exchange = None
        if self._reserved:
            self._release()
        if not self._keep or self.gateway.draining:
            self.close()
            return
        self.state = IDLE
        if self._paused:
            self._pause_reading()  # no further request, until the answers have been read
            return
        deadline = self.deadline = self.gateway.wheel.now + self.gateway.limits.idle_seconds
        if not self.slot:
            self.gateway.wheel.watch(self, deadline)
        if self._held:
            # Not at once: the dispatcher may be in the midst of something, and has to come to its end first.
            self.gateway.loop.call_soon(self._next)
        if not self._reading:
            self._resume_reading()

    def answer_problem(self, problem: Problem) -> None:
        """Answer that the request is not served, and why."""
        if self.exchange is None:
            self.gateway.not_routed(problem)
        answer = error_answer(problem, self.request_id.decode("latin-1"), keep_alive=self._keep)
        if self.head.method == "HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]  # its answer has no body
        self.write(answer)
        self.answered()

    def cut_off(self) -> None:
        """End an answer that is not whole, so that the client can tell."""
        self.gateway.outbox.flush()
        if self._unframed:  # closed in order, it would look whole
            self.exchange = None
            reset(self.transport)
        else:
            self.close()

    def close(self) -> None:
        """Close, once what is written has been sent."""
        self.exchange = None
        self.state = LINGERING
        self.gateway.wheel.watch(self, self.gateway.wheel.now + self.gateway.limits.write_seconds)
        self.gateway.outbox.flush()
        self.transport.close()

    def shut(self) -> None:
        """Close if no request is at hand."""
        if self.state <= HEAD:
            self.close()

    def _answer_json(self, body: bytes | Problem) -> None:
        if isinstance(body, Problem):
            self.answer_problem(body)
            return
        self.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b\r\n%b"
            % (len(body), self.request_id, self._connection_line(), body)
        )
        self.answered()

    def _refuse(self, problem: Problem) -> None:
        """Answer, and read no further: what comes is the rest of something refused."""
        if self.state <= HEAD:
            self.request_id = self.gateway.next_request_id()  # the last one was another request's
        self._keep = False
        self.state = LINGERING
        self.gateway.not_routed(problem)
        self._held, self._body = b"", None
        self._release()
        self._resume_reading()
        self.gateway.outbox.flush()
        self.transport.write(error_answer(problem, self.request_id.decode("latin-1"), keep_alive=False))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.gateway.wheel.watch(self, self.gateway.wheel.now + LINGER_SECONDS)

    def _refuse_malformed(self, error: Malformed) -> None:
        self._refuse(Problem(error.status, error.reason, error.message))

    def _connection_line(self) -> bytes:
        """What the answer says of the connection after it; in HTTP/1.1 it is kept unless told."""
        if not self._keep:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.head.http10 else _KEPT

    def _next(self) -> None:
        """Reads the next request from what came while the last one was answered."""
        if self.state == IDLE and self._held and not self._paused:
            data, self._held = self._held, b""
            self._read(data)

    def _pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self.transport.pause_reading()
            if not self._paused:
                self.gateway.wheel.watch(self, self.gateway.wheel.now + LOOK_SECONDS)

    def _resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    def _reserve(self, count: int) -> bool:
        """Whether there is room for so many more bytes of this request's body."""
        if self.gateway.held_bodies + count > self.gateway.limits.bodies_bytes:
            return False
        self.gateway.held_bodies += count
        self._reserved += count
        return True

    def _release(self) -> None:
        self.gateway.held_bodies -= self._reserved
        self._reserved = 0

    def _cancel(self) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.cancelled()


_FULL = Problem(503, "BodiesFull", "the gateway holds as many long bodies as it may: ask again", retry_after=1.0)
_ENCODED = Problem(415, "EncodedBody", "the body has a Content-Encoding, which is not read here: send it as it is")
