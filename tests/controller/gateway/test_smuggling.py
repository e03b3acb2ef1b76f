"""A client's bytes that two readers could take for different requests reach no engine, and end the connection."""

import json

import pytest

from tests.builders.gateway_configuration import KEY, configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import ASK, eventually, request, serving
from tests.fakes.engine import Engine

SMUGGLED = request(b'{"model":"llama","messages":["smuggled"]}')
START = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n" % KEY
CHUNKED = b"transfer-encoding: chunked\r\n"


def sent(head: bytes, body: bytes, *, start: bytes = START) -> bytes:
    return start + head + b"\r\n" + body


CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ASK), ASK)
LENGTH = b"content-length: %d\r\n" % len(ASK)

CORPUS = [
    ("a length before chunks", sent(LENGTH + CHUNKED, CHUNKS + SMUGGLED), 400),
    ("a length after chunks", sent(CHUNKED + LENGTH, CHUNKS + SMUGGLED), 400),
    ("a length of nothing beside chunks", sent(b"content-length: 0\r\n" + CHUNKED, CHUNKS), 400),
    ("two lengths that differ", sent(LENGTH + b"content-length: 5\r\n", ASK + SMUGGLED), 400),
    ("two lengths that agree", sent(LENGTH + LENGTH, ASK), 400),
    ("two lengths in one line", sent(b"content-length: %d, 5\r\n" % len(ASK), ASK), 400),
    ("a length with a sign", sent(b"content-length: +%d\r\n" % len(ASK), ASK), 400),
    ("a length of less than nothing", sent(b"content-length: -1\r\n", ASK), 400),
    ("a length in hex", sent(b"content-length: 0x%x\r\n" % len(ASK), ASK), 400),
    ("a length after a null", sent(b"content-length: \0%d\r\n" % len(ASK), ASK), 400),
    ("a length before a tab", sent(b"content-length: %d\t\r\n" % len(ASK), ASK), 400),
    ("a length with an underscore", sent(b"content_length: 5\r\n" + LENGTH, ASK), 400),
    ("space before the colon of a length", sent(b"content-length : 5\r\n", ASK), 400),
    ("space before the colon of a coding", sent(LENGTH + b"transfer-encoding : chunked\r\n", ASK), 400),
    ("a coding twice", sent(CHUNKED + CHUNKED, CHUNKS), 400),
    ("a coding that is hidden", sent(b"transfer-encoding: xchunked\r\n", CHUNKS), 501),
    ("a coding in quotation marks", sent(b'transfer-encoding: "chunked"\r\n', CHUNKS), 501),
    ("a coding after a vertical tab", sent(b"transfer-encoding:\x0bchunked\r\n", CHUNKS), 400),
    ("a coding after a tab", sent(b"transfer-encoding:\tchunked\r\n", CHUNKS), 501),
    ("a coding before another", sent(b"transfer-encoding: chunked, identity\r\n", CHUNKS), 501),
    ("a coding in a folded line", sent(b"transfer-encoding:\r\n chunked\r\n", CHUNKS), 400),
    ("a coding behind a line feed alone", sent(b"x: y\ntransfer-encoding: chunked\r\n", CHUNKS), 400),
    ("a coding behind a carriage return alone", sent(b"x: y\rtransfer-encoding: chunked\r\n", CHUNKS), 400),
    ("a coding in version 1.0", sent(CHUNKED, CHUNKS, start=START.replace(b"/1.1", b"/1.0")), 400),
    ("a head of line feeds alone", sent(LENGTH, ASK).replace(b"\r\n", b"\n"), 400),
    ("a null in a header", sent(b"x: \0\r\n" + LENGTH, ASK), 400),
    ("a header without a name", sent(b": x\r\n" + LENGTH, ASK), 400),
    ("a header without a colon", sent(b"x\r\n" + LENGTH, ASK), 400),
    ("a second host", sent(b"host: other\r\n" + LENGTH, ASK), 400),
    ("no host", sent(LENGTH, ASK, start=START.replace(b"host: gateway\r\n", b"")), 400),
    ("a second key", sent(b"authorization: Bearer other\r\n" + LENGTH, ASK), 400),
    ("a chunk with an extension", sent(CHUNKED, b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(ASK), ASK)), 400),
    ("a chunk that a line feed alone ends", sent(CHUNKED, b"%x\n%b\r\n0\r\n\r\n" % (len(ASK), ASK)), 400),
    ("a chunk longer than its size", sent(CHUNKED, b"5\r\n%b\r\n0\r\n\r\n" % ASK), 400),
    ("a chunk shorter than its size", sent(CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(ASK) + 2, ASK)), 400),
    ("a chunk's size in other digits", sent(CHUNKED, b"0x5\r\n{}   \r\n0\r\n\r\n"), 400),
    ("a chunk's size that no memory could hold", sent(CHUNKED, b"ffffffffffffffff\r\n{}"), 400),
    ("chunks with trailers", sent(CHUNKED, CHUNKS[:-2] + b"content-length: 5\r\n\r\n"), 400),
    ("version 2 in clear", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("a version of the future", sent(LENGTH, ASK, start=START.replace(b"/1.1", b"/3.0")), 505),
    ("no version", b"GET /v1/models\r\n\r\n", 400),
    ("a tunnel", b"CONNECT engine:8000 HTTP/1.1\r\nhost: engine:8000\r\n\r\n", 400),
    ("a handshake of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)), 400),
    ("nulls", b"\0" * 100, 400),
    ("a head that does not end", START + b"x: " + b"y" * 20_000, 431),
    ("many headers", sent(b"".join(b"x-%d: y\r\n" % n for n in range(150)) + LENGTH, ASK), 431),
    ("an expectation of something else", sent(b"expect: 200-ok\r\n" + LENGTH, ASK), 417),
]


@pytest.mark.parametrize("pieces", [1, 7], ids=["at once", "in pieces"])
@pytest.mark.parametrize(("raw", "want"), [row[1:] for row in CORPUS], ids=[row[0] for row in CORPUS])
async def test_refused(raw: bytes, want: int, pieces: int) -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        step = max(1, len(raw) // pieces)
        for at in range(0, len(raw), step):
            client.send(raw[at : at + step])
            await client.writer.drain()
        got = await client.read()
        assert got.status == want
        assert json.loads(got.body)["error"]["code"] == got.headers["x-aim-reason"]
        assert got.headers["connection"] == "close"
        assert await client.ended()
        assert conserved(gateway)
    assert engine.requests == []


async def test_what_looks_like_a_request_within_a_body_is_none() -> None:
    body = (
        b'{"model":"llama","messages":["\\r\\n\\r\\n'
        + SMUGGLED.replace(b"\r\n", b"\\r\\n").replace(b'"', b'\\"')
        + b'"]}'
    )
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        assert (await client.ask(request(body))).status == 200
        assert (await client.ask(request())).status == 200
    assert [received.body for received in engine.requests] == [body, ASK]


async def test_a_body_in_chunks_goes_on_with_its_length() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        half = len(ASK) // 2
        body = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (half, ASK[:half], len(ASK) - half, ASK[half:])
        for at in range(len(body)):
            client.send(sent(CHUNKED, b"") if at == 0 else b"")
            client.send(body[at : at + 1])
            await client.writer.drain()
        assert (await client.read()).status == 200
        assert (await client.ask(sent(CHUNKED, CHUNKS) + request())).status == 200
        assert (await client.read()).status == 200
    assert [received.body for received in engine.requests] == [ASK] * 3
    assert all(received.head.length == len(ASK) for received in engine.requests)


async def test_a_header_that_connection_names_is_not_passed_on_and_framing_stays() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        hidden = (
            b"connection: x-mine, content-length, host, authorization\r\nx-mine: 1\r\nupgrade: h2c\r\nte: trailers\r\n"
        )
        assert (await client.ask(request(headers=hidden))).status == 200
    (received,) = engine.requests
    assert received.body == ASK
    assert b"x-mine" not in received.raw_head
    assert b"upgrade" not in received.raw_head
    assert received.raw_head.count(b"content-length") == received.raw_head.count(b"host: ") == 1


async def test_who_waits_for_leave_to_send_a_body_gets_it_once() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        client.send(sent(b"expect: 100-continue\r\n" + LENGTH, b""))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(ASK)
        assert (await client.read()).status == 200
    assert b"expect" not in engine.requests[0].raw_head


REFUSED_BEFORE_BODY = [
    ("its caller is nobody", START.replace(KEY, b"other"), b"content-length: 100\r\n", 401),
    ("it is too long", START, b"content-length: 999999999\r\n", 413),
    ("nothing is served there", START.replace(b"/v1/chat", b"/v2/chat"), b"content-length: 100\r\n", 404),
]


@pytest.mark.parametrize(
    ("start", "head", "want"), [row[1:] for row in REFUSED_BEFORE_BODY], ids=[row[0] for row in REFUSED_BEFORE_BODY]
)
async def test_a_body_is_not_waited_for_when(start: bytes, head: bytes, want: int) -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (_, dial):
        client = await dial()
        got = await client.ask(sent(b"expect: 100-continue\r\n" + head, b"", start=start))
        assert got.status == want
        assert await client.ended()


async def test_a_refused_bodys_rest_is_never_read_as_a_request() -> None:
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        client = await dial()
        client.send(sent(b"content-length: 999999999\r\n", SMUGGLED))
        assert (await client.read()).status == 413
        client.send(SMUGGLED)
        assert await client.ended()
        await eventually(lambda: gateway.statistics().connections == 0)
    assert engine.requests == []
