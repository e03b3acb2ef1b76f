"""Clients over TLS, while the certificate is replaced: those that are connected stay, new ones see the new one."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.gateway.gateway import Gateway
from controller.gateway.tls import TlsFiles
from controller.runtime.certs.authority import Authority, issue_leaf, make_authority
from tests.builders.gateway_configuration import Keys, configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import ASK_STREAM, Client, eventually, request
from tests.fakes.clock import FakeClock
from tests.fakes.engine import STREAM_END, STREAM_HEAD, Engine, answer, event

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def put(folder: Path, authority: Authority, name: str) -> None:
    made = issue_leaf(authority, [name], NOW - DAY, 10 * DAY)
    (folder / "tls.crt").write_bytes(made.certificate_pem)
    (folder / "tls.key").write_bytes(made.private_key_pem)


@asynccontextmanager
async def serving(engine: Engine, files: TlsFiles) -> AsyncIterator[tuple[Gateway, int]]:
    async with engine, Gateway(configuration(route(endpoint(engine.port))), authenticator=Keys()) as gateway:
        yield gateway, await gateway.serve("127.0.0.1", 0, ssl=files.context)


async def connect(port: int, authority: Authority, name: str) -> Client:
    trusting = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    return Client(*await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name))


async def test_a_stream_goes_on_while_the_certificate_is_replaced(tmp_path: Path) -> None:
    authority = make_authority("gateway", NOW - DAY, 30 * DAY)
    put(tmp_path, authority, "old.example")
    files = TlsFiles(tmp_path, FakeClock(NOW))
    files.load()
    engine = Engine([STREAM_HEAD + event(b"1"), answer()])
    async with serving(engine, files) as (gateway, port):
        old = await connect(port, authority, "old.example")
        old.send(request(ASK_STREAM))
        await old.head()
        assert await old.chunk() == b"data: 1\n\n"

        put(tmp_path, authority, "new.example")
        assert files.look()
        new = await connect(port, authority, "new.example")
        assert (await new.ask(request())).status == 200

        engine.connections[0].send(event(b"2") + STREAM_END)
        assert [await old.chunk(), await old.chunk()] == [b"data: 2\n\n", b""]
        assert (await old.ask(request())).status == 200
        for client in (old, new):
            client.writer.close()
        await eventually(lambda: conserved(gateway) and gateway.statistics().connections == 0)


async def test_what_is_no_handshake_is_closed_and_costs_no_other_client(tmp_path: Path) -> None:
    authority = make_authority("gateway", NOW - DAY, 30 * DAY)
    put(tmp_path, authority, "old.example")
    files = TlsFiles(tmp_path, FakeClock(NOW))
    files.load()
    engine = Engine()
    async with serving(engine, files) as (_, port):
        plain = Client(*await asyncio.open_connection("127.0.0.1", port))
        plain.send(request())
        good = await connect(port, authority, "old.example")
        assert (await good.ask(request())).status == 200
        assert b"HTTP" not in await plain.reader.read()
        assert len(engine.requests) == 1
        plain.writer.close()
        good.writer.close()
