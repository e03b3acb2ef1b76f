"""One request, from its last byte to its one outcome.

    NEW ─ arrive ─> QUEUED ─ dispatched ─> IN_FLIGHT ─ begin ─> begun ─ finish ─> DONE
                      │  ^                     │                  │
                      │  └── given back ───────┘ not_answered     └── broken: the client is told, or cut off
                      ├── refused: an error with the refusal's status
                      └── from every state: cancelled, for the client has gone

Its state is the dispatcher's (`controller.qos.request`). Each of refused, finish, broken and cancelled ends it, once,
is counted once, and gives the seat back where it has one.
"""

from typing import TYPE_CHECKING

from controller.gateway.answer import LAST_CHUNK, usage_in, whole_chunk
from controller.gateway.body import Asked
from controller.gateway.errors import CLIENT_CLOSED_REQUEST, Problem, error_event, of_refusal
from controller.gateway.framing import CHUNKED, UNTIL_CLOSE, ResponseHead
from controller.qos.refusal import NO_ENDPOINT, Refusal
from controller.qos.request import DONE, Request

if TYPE_CHECKING:
    from controller.gateway.client_connection import ClientConnection
    from controller.gateway.pool import Pool
    from controller.gateway.reload import Lane
    from controller.gateway.upstream import UpstreamConnection

OVERLOADED = frozenset((429, 503, 504))
"""Statuses by which an engine says that it is asked too much."""
_SERVED = (200, "")
_GONE = (CLIENT_CLOSED_REQUEST, "ClientGone")
_BAD_GATEWAY, _GATEWAY_TIMEOUT = 502, 504
_SILENT = "EngineSilent"


class Exchange(Request):
    """A request that has an answer to be passed on to `client`. `begun`: its head has been.

    `timed` is true where the first byte says how long the prompt took: of a stream, and of what generates nothing.
    """

    __slots__ = (
        "asked",
        "begun",
        "begun_at",
        "body",
        "client",
        "failed_at",
        "lane",
        "lead",
        "pool",
        "request_id",
        "resent",
        "status",
        "timed",
        "upstream",
    )

    def __init__(
        self,
        client: "ClientConnection",
        lane: "Lane",
        lead: bytes,
        body: bytes,
        asked: Asked,
        *,
        tenant: str,
        now: float,
    ) -> None:
        super().__init__(lane.model, tenant, lane.qos_class, asked.prompt_tokens, asked.output_limit, now)
        self.client = client
        self.lane = lane
        self.lead = lead
        self.body = body
        self.asked = asked
        self.request_id = client.request_id
        self.begun = False
        self.begun_at = 0.0
        self.status = 0
        self.resent = False
        self.timed = asked.stream
        self.failed_at: frozenset[str] = frozenset()
        self.pool: Pool | None = None
        self.upstream: UpstreamConnection | None = None

    def for_engine(self, pool: "Pool") -> tuple[bytes, bytes]:
        """Head and body as the engine of `pool` gets them."""
        lane = self.lane
        splicer = lane.ranked if pool.endpoint.takes_priority else lane.plain
        body = splicer.splice(self.body, self.asked)
        return b"%b%bcontent-length: %d\r\nx-request-id: %b\r\n\r\n" % (
            self.lead,
            pool.host_line,
            len(body),
            self.request_id,
        ), body

    def begin(self, head: ResponseHead, length: int, data: bytes) -> None:
        """The answer has come as far as its first byte: pass on its head and that."""
        client = self.client
        self.begun = True
        self.status = head.status
        now = self.begun_at = client.gateway.time()
        if self.timed:
            client.gateway.manager.first_byte(self, now)
        client.begin_answer(head, length, data)

    def finish(self, end: bytes) -> None:
        """The answer has been passed on whole; `end` is its last bytes."""
        client = self.client
        gateway = client.gateway
        now = gateway.time()
        self.upstream = None
        prompt, output = usage_in(end)
        status = self.status
        gateway.manager.complete(self, now, prompt_tokens=prompt, output_tokens=output, overloaded=status in OVERLOADED)
        self.lane.table.served(self, now, prompt or 0, output or 0)
        client.answered()

    def not_connected(self, error: Exception) -> None:
        """No connection to the engine could be made."""
        if self.state != DONE:
            self.not_answered("EngineUnreachable", str(error) or type(error).__name__)

    def send_again(self) -> None:
        """A kept connection turned out to be closed: that says nothing about the engine. Once over a new one."""
        self.resent = True
        self.upstream = None
        if self.pool is not None:
            self.pool.send(self, fresh=True)

    def not_answered(self, reason: str, message: str) -> None:
        """An engine failed before the first byte: the request goes to another one, as often as the limits allow."""
        gateway = self.client.gateway
        now = gateway.time()
        self.upstream = None
        gateway.engine_failed(self, reason, message)
        if self.pool is not None:
            self.failed_at |= {self.pool.endpoint.uid}
        self.pool = None
        if reason != _SILENT and len(self.failed_at) <= gateway.limits.retries:
            self.resent = False
            gateway.manager.give_back(self, now, avoid=self.failed_at)
            return
        gateway.manager.complete(self, now, overloaded=reason == _SILENT)
        self._fail(self._problem(reason, message), now)

    def refused(self, refusal: Refusal) -> None:
        """The dispatcher does not serve it."""
        problem = of_refusal(refusal)
        if self.failed_at and refusal.reason == NO_ENDPOINT:
            problem = self._problem("EngineFailed", "no other engine is left")
        self._fail(problem, self.client.gateway.time())

    def broken(self, reason: str, message: str, *, between_events: bool) -> None:
        """The answer ended before its end. A client of a stream is told so in an event; any other one is cut off."""
        client = self.client
        now = client.gateway.time()
        self.upstream = None
        client.gateway.engine_failed(self, reason, message)
        client.gateway.manager.complete(self, now, overloaded=reason == _SILENT)
        self.lane.table.failed(self, (self.status, reason), now)
        if between_events and self.asked.stream:
            problem = self._problem(reason, message)
            event = error_event(problem, self.request_id.decode("latin-1"))
            client.transport.write(whole_chunk(event) + LAST_CHUNK)
        client.cut_off()

    def cancelled(self) -> None:
        """The client has gone: the engine is told by the end of its connection."""
        gateway = self.client.gateway
        now = gateway.time()
        upstream, pool = self.upstream, self.pool
        self.upstream = self.pool = None
        if upstream is not None:
            upstream.abandon()
        elif pool is not None:
            pool.withdraw(self)
        gateway.manager.cancel(self, now)
        self.lane.table.failed(self, _GONE, now)

    def _problem(self, reason: str, message: str) -> Problem:
        status = _GATEWAY_TIMEOUT if reason == _SILENT else _BAD_GATEWAY
        return Problem(status, reason, f"the engine of {self.model} failed: {message}; ask again")

    def _fail(self, problem: Problem, now: float) -> None:
        self.lane.table.failed(self, (problem.status, problem.reason), now)
        self.client.answer_problem(problem)


def framing_line(length: int) -> bytes:
    """How the body of an answer of this length is framed to the client, as header lines."""
    if length == CHUNKED:
        return b"transfer-encoding: chunked\r\n"
    return b"" if length == UNTIL_CLOSE else b"content-length: %d\r\n" % length
