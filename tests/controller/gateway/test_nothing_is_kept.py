"""Of requests and connections that have ended, however they ended, no object is left behind."""

import gc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.gateway.client_connection import ClientConnection
from controller.gateway.configuration import Limits
from controller.gateway.exchange import Exchange
from controller.gateway.upstream import UpstreamConnection
from controller.qos.settings import ModelSettings
from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import ASK_STREAM, Dial, eventually, request, serving
from tests.fakes.engine import STREAM_END, STREAM_HEAD, Answer, Engine, EngineConnection, answer, dies, event

KEPT = (ClientConnection, Exchange, UpstreamConnection)
LIMITS = replace(Limits(), upstream_first_byte_seconds=0.3, upstream_silence_seconds=0.3, upstream_idle_seconds=0.3)


@pytest.fixture(autouse=True)
def others_objects_aside() -> Iterator[None]:
    """What other tests of the process have left is not looked through: hundreds of megabytes, at each look."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def counted() -> Counter[str]:
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, KEPT))


def half(connection: EngineConnection) -> None:
    connection.send(STREAM_HEAD + event(b"1"))


ANSWERS: list[Answer] = [
    answer(),
    STREAM_HEAD + event(b"1") + STREAM_END,
    dies,
    half,
    b"<html>",
    answer(b"{}", status=b"429 Too Many"),
]


async def a_round(dial: Dial, engine: Engine) -> None:
    """Each kind of answer, to a client that waits for it and to one that does not; and requests that are refused."""
    for number, reply in enumerate(ANSWERS):
        engine.answers = [reply]
        stays, goes, wrong = await dial(), await dial(), await dial()
        stays.send(request(ASK_STREAM))
        goes.send(request(ASK_STREAM))
        wrong.send(request()[: 40 * number] + b"\0\r\n\r\n")
        await stays.reader.read(10)
        for client in (goes, wrong, stays):
            client.writer.close()


async def test_nothing_is_kept_of_what_has_ended() -> None:
    before = counted()
    settings = ModelSettings("team-a/llama", "standard", queue_timeout=0.2)
    engine = Engine()
    async with engine, serving(configuration(route(endpoint(engine.port), settings=settings), limits=LIMITS)) as served:
        gateway, dial = served
        for _ in range(10):
            await a_round(dial, engine)
        await eventually(lambda: gateway.statistics().connections == 0 and conserved(gateway))
        await eventually(lambda: all(connection.lost.is_set() for connection in engine.connections))
        await eventually(lambda: counted() == before)
