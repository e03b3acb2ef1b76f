import asyncio
import json

from tests.builders.gateway_configuration import configuration, endpoint, route
from tests.controller.gateway.exchanging import ASK_STREAM, eventually, request, serving
from tests.fakes.engine import JSON, STREAM_END, STREAM_HEAD, Engine, EngineConnection, answer, dies, event, silent


async def test_a_request_and_its_answer_pass_through_byte_by_byte() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        got = await client.ask(request(b'{"model":"llama",  "messages": []}'))
    assert (got.status, got.body) == (200, JSON)
    assert engine.requests[0].body == b'{"model":"llama",  "messages": []}'
    assert b"authorization" not in engine.requests[0].raw_head.lower()


async def test_one_connection_of_each_side_carries_request_after_request() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        for _ in range(5):
            assert (await client.ask(request())).status == 200
    assert len(engine.connections) == 1


async def test_requests_sent_at_once_on_one_connection_are_answered_in_their_order() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        client.send(b"".join(request(headers=b"x-request-id: r%d\r\n" % number) for number in range(20)))
        ids = [(await client.read()).headers["x-request-id"] for _ in range(20)]
    assert ids == [f"r{number}" for number in range(20)]


async def test_a_stream_is_passed_on_piece_by_piece() -> None:
    def begin(connection: EngineConnection) -> None:
        connection.send(STREAM_HEAD + event(b'{"n":1}'))

    async with Engine([begin]) as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(request(ASK_STREAM))
        status, _ = await client.head()
        first = await client.chunk()
        engine.connections[0].send(event(b'{"usage":{"prompt_tokens":9,"completion_tokens":4}}') + STREAM_END)
        rest = [await client.chunk(), await client.chunk()]
        await eventually(lambda: gateway.statistics().qos.models["team-a/llama"].in_flight == 0)
        table = gateway.tables["team-a/llama", "standard"]
    assert (status, first, rest[1]) == (200, b'data: {"n":1}\n\n', b"")
    assert (table.input_tokens, table.output_tokens, table.outcomes) == (9, 4, {(200, ""): 1})
    assert b'"include_usage":true' in engine.requests[0].body


async def test_an_engine_that_dies_before_its_answer_hands_the_request_to_another() -> None:
    async with Engine([dies]) as dead, Engine() as alive:
        service = route(endpoint(dead.port, uid="a"), endpoint(alive.port, uid="b"))
        async with serving(configuration(service)) as (gateway, dial):
            client = await dial()
            statuses = [(await client.ask(request())).status for _ in range(6)]
            assert gateway.statistics().qos.models["team-a/llama"].in_flight == 0
    assert statuses == [200] * 6


async def test_with_no_other_engine_the_client_is_told_that_it_failed() -> None:
    async with Engine([dies]) as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        got = await client.ask(request())
        assert gateway.statistics().engine_failures == {"EngineLost": 1}
    assert got.status == 502
    assert json.loads(got.body)["error"]["code"] == "EngineFailed"


async def test_a_client_that_goes_cancels_its_request_at_the_engine() -> None:
    async with Engine([silent]) as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(request())
        await eventually(lambda: engine.requests)
        client.writer.close()
        async with asyncio.timeout(30):
            await engine.connections[0].lost.wait()
        assert gateway.statistics().qos.models["team-a/llama"].in_flight == 0
        assert gateway.tables["team-a/llama", "standard"].outcomes == {(499, "ClientGone"): 1}


async def test_an_engine_that_dies_in_a_stream_ends_it_with_an_error_event() -> None:
    def half(connection: EngineConnection) -> None:
        connection.send(STREAM_HEAD + event(b'{"n":1}'))

    async with Engine([half]) as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(request(ASK_STREAM))
        await client.head()
        await client.chunk()
        engine.connections[0].transport.abort()
        told = await client.chunk()
        assert await client.chunk() == b""
        assert await client.ended()
        assert gateway.tables["team-a/llama", "standard"].outcomes == {(200, "EngineLost"): 1}
    assert json.loads(told.removeprefix(b"data: "))["error"]["code"] == "EngineLost"


async def test_a_request_that_engines_die_of_kills_two_and_no_more() -> None:
    async with Engine([dies]) as one, Engine([dies]) as two, Engine([dies]) as three:
        engines = (one, two, three)
        service = route(*(endpoint(engine.port) for engine in engines))
        async with serving(configuration(service)) as (_, dial):
            got = await (await dial()).ask(request())
    assert got.status == 502
    assert sum(len(engine.requests) for engine in engines) == 2


async def test_engines_that_cannot_be_reached_are_passed_over_as_often_as_the_limits_say() -> None:
    async with Engine() as gone, Engine() as gone_too, Engine() as alive:
        service = route(*(endpoint(engine.port) for engine in (gone, gone_too, alive)))
        await gone.stop()
        await gone_too.stop()
        async with serving(configuration(service)) as (gateway, dial):
            client = await dial()
            assert [(await client.ask(request())).status for _ in range(9)] == [200] * 9
            assert gateway.statistics().qos.models["team-a/llama"].in_flight == 0


async def test_a_kept_connection_that_was_closed_costs_one_resend_and_one_of_a_crash_goes_elsewhere() -> None:
    async with Engine([answer(), silent]) as crashes, Engine() as other:
        first = endpoint(crashes.port, seats=1)
        async with serving(configuration(route(first))) as (gateway, dial):
            client = await dial()
            await client.ask(request())
            client.send(request())
            await eventually(lambda: len(crashes.requests) == 2)
            gateway.reload(configuration(route(first, endpoint(other.port))))
            await asyncio.sleep(1.3)  # so late, it is no connection that was closed before
            crashes.connections[0].transport.abort()
            assert (await client.read()).status == 200
    assert (len(crashes.requests), len(other.requests)) == (2, 1)
