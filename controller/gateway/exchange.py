"""One request, from its last byte to its one outcome.

    NEW ─ arrive ─> QUEUED ─ dispatched ─> IN_FLIGHT ─ begin ─> begun ─ finish ─> DONE
                      │  ^                     │                  │
                      │  └── given back ───────┘ not_answered     └── broken: the client is told, or cut off
                      ├── refused: an error with the refusal's status
                      └── from every state: cancelled, for the client has gone

Its state is the dispatcher's (`controller.qos.request`). Each of refused, finish, broken and cancelled ends it, once,
is counted once, and gives the seat back where it has one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from controller.gateway.answer import LAST_CHUNK, usage_in, whole_chunk
from controller.gateway.body import Asked
from controller.gateway.errors import CLIENT_CLOSED_REQUEST, Problem, error_event, of_refusal
from controller.gateway.framing import CHUNKED, ResponseHead
from controller.qos.refusal import NO_ENDPOINT, Refusal
from controller.qos.request import DONE, Request

if TYPE_CHECKING:
    from controller.gateway.client_connection import ClientConnection
    from controller.gateway.pool import Pool
    from controller.gateway.reload import Lane
    from controller.gateway.upstream import UpstreamConnection

OVERLOADED = frozenset((429, 503, 504))
"""Statuses by which an engine says that it is asked too much."""
_WITHOUT_BODY = (204, 304)
_GONE = (CLIENT_CLOSED_REQUEST, "ClientGone")
_BAD_GATEWAY, _GATEWAY_TIMEOUT = 502, 504
MOST_LOSSES = 1
"""How often a request is sent elsewhere that an engine had got when it failed."""
_SILENT = "EngineSilent"
_UNREACHABLE = "EngineUnreachable"
_SENTENCES = {
    # What a client is told: no addresses, which are in the log.
    "BadAnswer": "the engine of {model} sent what is no answer in HTTP/1.1: ask again",
    "EngineFailed": "each engine of {model} that was tried failed before its answer began: ask again",
    "EngineLost": "the engine of {model} closed the connection before its answer was whole: ask again",
    _SILENT: "the engine of {model} sent nothing for too long: ask again later",
    _UNREACHABLE: "the engine of {model} cannot be reached: ask again",
}


class Seats(Protocol):
    """Who gave the request its seat, and is told how it went: `QoSManager`, of whose methods these are some."""

    def first_byte(self, request: Request, now: float) -> None:
        """The first byte of its answer has come."""
        ...

    def complete(
        self,
        request: Request,
        now: float,
        *,
        prompt_tokens: int | None = None,
        output_tokens: int | None = None,
        overloaded: bool = False,
    ) -> None:
        """It is over."""
        ...

    def give_back(self, request: Request, now: float, *, avoid: frozenset[str]) -> None:
        """No byte came; it goes elsewhere."""
        ...

    def cancel(self, request: Request, now: float) -> None:
        """Its client is gone."""
        ...


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
        "losses",
        "manager",
        "ownerless_since",
        "pool",
        "request_id",
        "resent",
        "status",
        "streamed",
        "table",
        "timed",
        "upstream",
        "write",
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
        self.dispatched = 0.0
        self.client = client
        self.lane = lane
        self.table = lane.table
        self.manager: Seats = client.gateway.manager
        self.write: Callable[[bytes], object] = client.write
        self.lead = lead
        self.body = body
        self.asked = asked
        self.request_id = client.request_id
        self.begun = False
        self.begun_at = 0.0
        self.status = 0
        self.resent = False
        self.losses = 0
        self.ownerless_since = 0.0
        self.streamed = self.timed = asked.stream
        self.failed_at: frozenset[str] = frozenset()
        self.pool: Pool | None = None
        self.upstream: UpstreamConnection | None = None

    @property
    def headers(self) -> bytes:
        """Its header lines as its engine gets them; of the request at hand, as long as this one is not answered."""
        return self.client.head.forward

    @property
    def of_replica(self) -> bool:
        """Whether another replica answers it."""
        return self.pool is not None and not self.pool.engine

    def renewed(self) -> "Exchange":
        """The same request as one that nobody has ordered yet; this one is over."""
        again = Exchange(self.client, self.lane, self.lead, self.body, self.asked, tenant=self.tenant, now=self.arrived)
        again.timed = self.timed
        again.ownerless_since = self.ownerless_since
        self.client.exchange = again
        return again

    def begin(self, head: ResponseHead, length: int, data: bytes) -> None:
        """The answer has come as far as its first byte: pass on its head and that."""
        client = self.client
        self.begun = True
        self.status = head.status
        now = self.begun_at = client.gateway.time()
        self.body = b""  # from now on it is sent nowhere else
        if self.timed:
            self.manager.first_byte(self, now)
        client.begin_answer(self, head, length, data)

    def finish(self, end: bytes, now: float | None = None) -> None:
        """The answer has been passed on whole, at `now` (None: just now); `end` is its last bytes."""
        client = self.client
        if now is None:
            now = client.gateway.time()
        self.upstream = None
        prompt, output = usage_in(end)
        overloaded = self.status in OVERLOADED
        self.manager.complete(self, now, prompt_tokens=prompt, output_tokens=output, overloaded=overloaded)
        self.table.served(self, now, prompt or 0, output or 0)
        client.answered()

    def not_connected(self, error: Exception) -> None:
        """No connection to the engine could be made."""
        if self.state != DONE:
            self.not_answered(_UNREACHABLE, str(error) or type(error).__name__)

    def send_again(self) -> None:
        """A kept connection turned out to be closed: that says nothing about the engine. Once over a new one."""
        self.resent = True
        self.upstream = None
        if self.pool is not None:
            self.pool.send(self, fresh=True)

    def not_answered(self, reason: str, message: str) -> None:
        """An engine failed before the first byte: the request goes to another one, as often as the limits allow.

        Of those that had got it, to one other at most: it may be what they died of.
        """
        gateway = self.client.gateway
        now = gateway.time()
        self.upstream = None
        gateway.engine_failed(self, reason, message)
        if self.pool is not None:
            self.failed_at |= {self.pool.endpoint.uid}
        self.pool = None
        self.losses += reason != _UNREACHABLE
        if reason != _SILENT and len(self.failed_at) <= gateway.limits.retries and self.losses <= MOST_LOSSES:
            self.resent = False
            self.manager.give_back(self, now, avoid=self.failed_at)
            return
        self.manager.complete(self, now, overloaded=reason == _SILENT)
        self._fail(self._problem(reason), now)

    def refused(self, refusal: Refusal) -> None:
        """The dispatcher does not serve it."""
        problem = of_refusal(refusal)
        if self.failed_at and refusal.reason == NO_ENDPOINT:
            problem = self._problem("EngineFailed")
        self._fail(problem, self.client.gateway.time())

    def broken(self, reason: str, message: str, *, between_events: bool) -> None:
        """The answer ended before its end. A client of a stream is told so in an event; any other one is cut off."""
        client = self.client
        now = client.gateway.time()
        self.upstream = None
        client.gateway.engine_failed(self, reason, message)
        self.manager.complete(self, now, overloaded=reason == _SILENT)
        self.table.failed(self, (self.status, reason), now)
        if between_events and self.streamed:
            event = error_event(self._problem(reason), self.request_id.decode("latin-1"))
            self.write(whole_chunk(event) + LAST_CHUNK)
        client.cut_off()

    def not_ours(self) -> None:
        """A peer sent it here, and another replica orders it: without a word, so that the peer looks again."""
        self.state = DONE
        self.client.exchange = None
        self.client.transport.abort()

    def cancelled(self) -> None:
        """The client has gone: the engine is told by the end of its connection."""
        now = self.client.gateway.time()
        upstream, pool = self.upstream, self.pool
        self.upstream = self.pool = None
        if upstream is not None:
            upstream.abandon()
        elif pool is not None:
            pool.withdraw(self)
        self.manager.cancel(self, now)
        self.table.abandoned(self, _GONE, now)

    def _problem(self, reason: str) -> Problem:
        status = _GATEWAY_TIMEOUT if reason == _SILENT else _BAD_GATEWAY
        return Problem(status, reason, _SENTENCES[reason].format(model=self.model))

    def _fail(self, problem: Problem, now: float) -> None:
        self.table.failed(self, (problem.status, problem.reason), now)
        self.client.answer_problem(problem)


def framing_line(status: int, length: int) -> bytes:
    """How the body of an answer of this length is framed to the client, as header lines."""
    if length > 0 or (length == 0 and status not in _WITHOUT_BODY):
        return b"content-length: %d\r\n" % length
    return b"transfer-encoding: chunked\r\n" if length == CHUNKED else b""
