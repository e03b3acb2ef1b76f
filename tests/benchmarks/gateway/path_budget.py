"""Where a request's time goes in the gateway's own code, in microseconds of this thread's processor time.

In one process without a network: bytes of a client go into its connection, the engine's answer into the engine's, and
what they write goes nowhere. What the kernel and the loop take besides is in the rows that are measured by processes.
The stages are called alone, on objects of requests that ran; what the whole takes beyond them is `glue`: the calls from
one to the next, and the states of connections.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, cast

import uvloop

from controller.gateway.answer import usage_in
from controller.gateway.body import Asked, read_body
from controller.gateway.client_connection import ClientConnection
from controller.gateway.configuration import Caller
from controller.gateway.exchange import Exchange
from controller.gateway.gateway import Gateway
from controller.gateway.heads import HeadReader
from controller.gateway.outbox import Outbox
from controller.gateway.reload import Lane
from controller.gateway.server import Server
from controller.gateway.upstream import UpstreamConnection
from e2e.plane.progress import Progress
from tests.benchmarks.gateway.mock_engine import ANSWER
from tests.benchmarks.gateway.ours import KEY, Keys, configuration
from tests.benchmarks.report import Row, figure
from tests.benchmarks.thresholds import Bound

_MODELS: Final = 12
_CONNECTIONS: Final = 64
_WARM: Final = 20
_ROUNDS: Final = 40
_STAGE_CALLS: Final = 2_000
_STAGE_ROUNDS: Final = 15
_USUAL_SECONDS: Final = 8.0
_PROMPT: Final = b"What does a partition of a GPU share with the one beside it? " * 13


class _Nowhere:
    """A transport of which nobody reads."""

    def write(self, data: bytes) -> None:
        """Goes nowhere."""

    def writelines(self, data: list[bytes]) -> None:
        """Goes nowhere."""

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing is buffered."""

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        """Of whatever is asked."""
        return ("127.0.0.1", 1)

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing to do."""

    abort = close


def _request(number: int) -> bytes:
    body = b'{"model":"mock/model-%d","messages":[{"role":"user","content":"%b"}],"max_tokens":64}' % (number, _PROMPT)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    return b"%bAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b" % (head, KEY.encode(), len(body), body)


@dataclass(slots=True)
class _Ends:
    """The ends of connections, and what comes in at each."""

    clients: list[ClientConnection]
    requests: list[bytes]
    engines: list[UpstreamConnection]
    outbox: Outbox

    def turn(self) -> None:
        """A request on each connection, then all answers, each written at its turn's end."""
        for client, request in zip(self.clients, self.requests, strict=True):
            client.data_received(request)
        self.outbox.flush()
        for engine in self.engines:
            engine.data_received(ANSWER)
        self.outbox.flush()


def _connected(gateway: Gateway) -> _Ends:
    server, ends = Server(gateway), _Ends([], [], [], gateway.outbox)
    for number in range(_CONNECTIONS):
        client = ClientConnection(server)
        client.connection_made(cast("asyncio.Transport", _Nowhere()))
        pool = gateway.pools[f"pod-{number % _MODELS}"]
        engine = UpstreamConnection(pool)
        engine.connection_made(cast("asyncio.Transport", _Nowhere()))
        pool.release(engine)
        ends.clients.append(client)
        ends.requests.append(_request(number % _MODELS))
        ends.engines.append(engine)
    return ends


def _stages(gateway: Gateway, ends: _Ends) -> dict[str, Callable[[], object]]:
    """What is called for each request, by what it is for."""
    client, request = ends.clients[0], ends.requests[0]
    reader, answers = HeadReader(gateway.request_heads), HeadReader(gateway.response_heads)
    head, length, at = cast("tuple[Any, int, int]", reader.read(request))
    answered, answer_length, answer_at = cast("tuple[Any, int, int]", answers.read(ANSWER))
    body, reply = request[at : at + length], ANSWER[answer_at:]
    asked = cast("Asked", read_body(body))
    caller = cast("Caller", gateway.find_caller(KEY.encode()))
    lane = cast("Lane", gateway.serving.lane(asked.model, caller, head.host))
    pool = gateway.pools["pod-0"]
    now = gateway.time()

    def made() -> Exchange:
        return Exchange(client, lane, head.memo.lead, body, asked, tenant=caller.tenant, now=now)

    def dispatched() -> None:
        exchange = made()
        gateway.manager.arrive(exchange, now)
        gateway.manager.complete(exchange, now, prompt_tokens=200, output_tokens=50)

    def told() -> None:
        usage_in(reply)
        exchange.begun_at = now
        exchange.status = 200
        exchange.table.served(exchange, now, 200, 50)

    def passed_on() -> None:
        answers.read(ANSWER)
        client.begin_answer(exchange, answered, answer_length, reply)
        gateway.outbox.flush()

    gateway.manager._on_dispatch = lambda _request, _member: None  # what is decided is sent in the next stage
    exchange = made()
    gateway.manager.arrive(exchange, now)
    gateway.manager.complete(exchange, now)
    return {
        "head": lambda: reader.read(request),
        "key": lambda: gateway.find_caller(KEY.encode()),
        "body": lambda: read_body(body),
        "model_id": lambda: gateway.serving.lane(asked.model, caller, head.host),
        "dispatch": dispatched,
        "to_engine": lambda: pool.outgoing(exchange),
        "answer": passed_on,
        "telemetry": told,
    }


def _cost(call: Callable[[], object], calls: int) -> float:
    begun = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - begun) / calls * 1e6


async def _measure() -> dict[str, float]:
    served = configuration(_MODELS, 3 * _CONNECTIONS, engine=1)
    gateway = Gateway(served, authenticator=Keys(served))
    async with gateway:
        ends = _connected(gateway)
        for _ in range(_WARM):
            ends.turn()
        gc.collect()
        gc.freeze()
        try:
            whole = min(_cost(ends.turn, 5) for _ in range(_ROUNDS)) / _CONNECTIONS
            idle = min(_cost(lambda: None, _STAGE_CALLS) for _ in range(_STAGE_ROUNDS))
            found = {
                name: min(_cost(call, _STAGE_CALLS) for _ in range(_STAGE_ROUNDS)) - idle
                for name, call in _stages(gateway, ends).items()
            }
        finally:
            gc.unfreeze()
    return {**found, "glue": whole - sum(found.values()), "all": whole}


def rows(runs: int, bounds: Mapping[str, Bound], progress: Progress) -> list[Row]:
    """Microseconds a request, by what they are for. Of each the best of some rounds, which others disturb the least."""
    samples: dict[str, list[float]] = {}
    with progress.step(1, 1, "the gateway's own code", _USUAL_SECONDS) as step:
        for number in range(runs):
            step.tick(f"run {number + 1}")
            for name, cost in uvloop.run(_measure()).items():
                samples.setdefault(f"path_us_{name}", []).append(cost)
    return [figure(name, "us", median(costs), costs, bounds.get(name)) for name, costs in samples.items()]
