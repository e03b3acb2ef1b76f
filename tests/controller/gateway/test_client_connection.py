"""What a client sees of HTTP: versions, interim answers, what is passed on and what is not."""

import json
import socket
import struct
from dataclasses import replace

import pytest
import structlog

from controller.gateway.configuration import Caller, Limits
from controller.qos.settings import ModelSettings
from tests.builders.gateway_configuration import KEY, Keys, caller, configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import ASK, ASK_STREAM, eventually, request, serving
from tests.fakes.engine import JSON, STREAM_END, STREAM_HEAD, Engine, EngineConnection, answer, event, silent

STREAM = STREAM_HEAD + event(b'{"n":1}') + event(b'{"n":2}') + STREAM_END
OLD = b"POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n%b\r\n%b"


async def test_a_client_of_http_1_0_gets_a_stream_without_chunks_until_the_end_of_its_connection() -> None:
    async with Engine([STREAM]) as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        got = await client.ask(OLD % (KEY, len(ASK_STREAM), b"", ASK_STREAM))
    assert got.body == b'data: {"n":1}\n\ndata: {"n":2}\n\n'
    assert "transfer-encoding" not in got.headers
    assert got.headers["connection"] == "close"


async def test_a_client_of_http_1_0_that_asks_to_keep_its_connection_may() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        for _ in range(2):
            got = await client.ask(OLD % (KEY, len(ASK), b"connection: keep-alive\r\n", ASK))
            assert (got.status, got.headers["connection"]) == (200, "keep-alive")


async def test_an_answer_that_ends_with_its_connection_is_passed_on_so() -> None:
    def until_close(connection: object) -> None:
        engine.connections[-1].send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        engine.connections[-1].transport.close()

    engine = Engine([until_close])
    async with engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        got = await (await dial()).ask(request())
        assert (got.body, got.headers["connection"]) == (b"hello", "close")
        await eventually(lambda: conserved(gateway))


async def test_a_body_that_waits_to_be_asked_for_is_asked_for() -> None:
    whole = request(headers=b"expect: 100-continue\r\n")
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        client.send(whole[: -len(ASK)])
        assert await client.head() == (100, {})
        assert (await client.ask(ASK)).status == 200
    assert b"expect" not in engine.requests[0].raw_head.lower()


@pytest.mark.parametrize(
    ("headers", "want"),
    [
        pytest.param(b"", 401, id="without a key"),
        pytest.param(b"authorization: Bearer nobodys\r\n", 401, id="with a key that nobody has"),
    ],
)
async def test_the_body_of_one_who_may_not_call_is_not_waited_for(headers: bytes, want: int) -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        got = await client.ask(request(key=None, headers=headers)[: -len(ASK)])
        assert (got.status, got.headers["connection"]) == (want, "close")
        assert await client.ended()
    assert engine.requests == []


@pytest.mark.parametrize(("takes", "want"), [(True, 2), (False, None)])
async def test_an_engine_is_told_the_rank_of_the_class_only_where_it_goes_by_it(takes: bool, want: int | None) -> None:
    service = ModelSettings("team-a/llama", "batch")
    async with (
        Engine() as engine,
        serving(configuration(route(endpoint(engine.port, takes_priority=takes), settings=service))) as (_, dial),
    ):
        await (await dial()).ask(request(b'{"model":"llama","priority":-5}'))
    assert json.loads(engine.requests[0].body).get("priority") == want


async def test_who_a_token_is_may_take_a_while_and_what_follows_waits() -> None:
    class Slow(Keys):
        async def _ask(self, token: bytes) -> Caller | None:
            return super().find(token)

        def find(self, token: bytes) -> object:  # type: ignore[override]
            return self._ask(token)

    async with (
        Engine() as engine,
        serving(configuration(route(endpoint(engine.port))), Slow({KEY: caller()})) as (gateway, dial),
    ):
        client = await dial()
        client.send(request() + request(key=b"nobodys") + request())
        assert [(await client.read()).status for _ in range(3)] == [200, 401, 200]
        assert conserved(gateway)


async def test_an_authenticator_that_fails_costs_the_request_and_nothing_else() -> None:
    class Broken(Keys):
        async def _ask(self) -> Caller | None:
            raise LookupError("a bug")

        def find(self, token: bytes) -> object:  # type: ignore[override]
            return self._ask() if token == b"other" else super().find(token)

    async with Engine() as engine, serving(configuration(route(endpoint(engine.port))), Broken()) as (_, dial):
        client = await dial()
        assert [(await client.ask(request(key=key))).status for key in (b"other", KEY)] == [503, 200]


async def test_a_deadline_that_cannot_be_met_is_refused() -> None:
    async with (
        Engine([silent]) as engine,
        serving(configuration(route(endpoint(engine.port, seats=1)))) as (_, dial),
    ):
        (await dial()).send(request())
        await eventually(lambda: engine.requests)
        got = await (await dial()).ask(request(headers=b"x-request-timeout: 0.2\r\n"))
        assert (got.status, json.loads(got.body)["error"]["code"]) == (504, "DeadlineExceeded")


async def test_long_bodies_have_a_bound_together_and_free_it_when_their_answers_begin() -> None:
    limits = replace(Limits(), bodies_bytes=1000)
    long = b'{"model":"llama","x":"%b"}' % (b"x" * 800)
    async with (
        Engine([silent, answer()]) as engine,
        serving(configuration(route(endpoint(engine.port)), limits=limits)) as (gateway, dial),
    ):
        first, second = await dial(), await dial()
        whole = request(long)
        first.send(whole[:-100])
        await eventually(lambda: gateway.held_bodies)
        got = await second.ask(whole[:-100])
        assert (got.status, json.loads(got.body)["error"]["code"]) == (503, "BodiesFull")
        first.send(whole[-100:])
        await eventually(lambda: engine.requests)
        assert gateway.held_bodies == len(long)
        engine.connections[0].send(answer())
        assert (await first.read()).body == JSON
        assert gateway.held_bodies == 0
        third = await dial()
        third.send(whole[:300])
        await eventually(lambda: gateway.held_bodies)
        third.writer.close()
        await eventually(lambda: not gateway.held_bodies)


async def test_the_id_of_a_request_is_the_clients_or_ours_and_the_same_everywhere() -> None:
    told = answer(headers=b"x-request-id: the engine's own\r\n")
    async with Engine([told]) as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        theirs = (await client.ask(request(headers=b"x-request-id: abc\r\n"))).headers["x-request-id"]
        ours = [(await client.ask(request())).headers["x-request-id"] for _ in range(2)]
    heard = [one.head.request_id for one in engine.requests]
    assert theirs == "abc"
    assert ours[0] != ours[1]
    assert heard == [b"abc", *(one.encode() for one in ours)]


async def test_models_are_listed_and_named_alone() -> None:
    async with serving(configuration(route(), route(name="qwen"), route(namespace="team-b"))) as (_, dial):
        client = await dial()
        get = b"GET %b HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %b\r\n\r\n"
        listed = json.loads((await client.ask(get % (b"/v1/models", KEY))).body)
        one = await client.ask(get % (b"/v1/models/team-a/qwen", KEY))
        none = await client.ask(get % (b"/v1/models/team-b/llama", KEY))
    assert [model["id"] for model in listed["data"]] == ["llama", "qwen"]
    assert json.loads(one.body)["id"] == "qwen"
    assert none.status == 404


@pytest.mark.parametrize(
    ("asked", "framing"),
    [
        pytest.param(request(), b"", id="an answer without a length"),
        pytest.param(
            OLD % (KEY, len(ASK), b"", ASK), b"transfer-encoding: chunked\r\n", id="chunks for a client of HTTP/1.0"
        ),
    ],
)
async def test_half_an_answer_that_ends_with_its_connection_does_not_look_whole(asked: bytes, framing: bytes) -> None:
    def half(connection: EngineConnection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\n%b\r\n5\r\nhello\r\n" % framing)

    engine = Engine([half])
    async with engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(asked)
        await client.head()
        await client.reader.readuntil(b"hello")
        sock = engine.connections[0].transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        engine.connections[0].transport.abort()
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        await eventually(lambda: conserved(gateway))
        assert gateway.tables["team-a/llama", "standard"].outcomes == {(200, "EngineLost"): 1}


async def test_an_answer_that_can_have_no_body_says_nothing_of_its_length() -> None:
    engine = Engine([b"HTTP/1.1 204 No Content\r\n\r\n"])
    async with engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        client.send(request() * 2)
        for _ in range(2):
            got = await client.read()
            assert (got.status, "content-length" in got.headers) == (204, False)


async def test_a_client_that_never_takes_its_refusal_is_cut_off_in_the_end() -> None:
    limits = replace(Limits(), head_seconds=0.3, write_seconds=0.3)
    async with serving(configuration(limits=limits)) as (gateway, dial):
        client = await dial()
        transport = client.writer.transport
        transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"POST")
        await eventually(lambda: gateway.statistics().connections == 1)
        await eventually(lambda: gateway.statistics().connections == 0, within=10)


async def test_a_request_that_is_none_has_an_id_of_its_own() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        first = await client.ask(request())
        second = await client.ask(b"nonsense\r\n\r\n")
    assert second.status == 400
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_head_is_refused_without_a_body_and_the_connection_goes_on() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        client.send(b"HEAD /v1/models HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n\r\n" % KEY)
        status, headers = await client.head()
        assert (status, headers["allow"]) == (405, "GET")
        assert (await client.ask(request())).status == 200


async def test_a_task_that_fails_ends_nothing_else() -> None:
    async def fails() -> None:
        raise LookupError("a bug")

    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        with structlog.testing.capture_logs() as logs:
            await gateway.start(fails(), "look up nothing")
        assert (await (await dial()).ask(request())).status == 200
    assert [(one["event"], one["task"]) for one in logs] == [("gateway task failed", "look up nothing")]
