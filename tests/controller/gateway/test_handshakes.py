"""Clients over TLS count from their first packet on, whether they ever shake hands or not."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.gateway.configuration import Limits
from controller.gateway.gateway import Gateway
from controller.runtime.certs.authority import issue_leaf, make_authority
from tests.builders.gateway_configuration import Keys, configuration, endpoint, route
from tests.controller.gateway.exchanging import eventually, request
from tests.fakes.engine import Engine

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
LIMITS = replace(Limits(), connections=5, connections_per_client=2, head_seconds=0.4)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The gateway's, and that of a client that trusts it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = make_authority("authority", NOW - DAY, 30 * DAY)
    leaf = issue_leaf(authority, ["gateway"], NOW - DAY, 10 * DAY)
    (folder / "tls.crt").write_bytes(leaf.certificate_pem)
    (folder / "tls.key").write_bytes(leaf.private_key_pem)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return server, ssl.create_default_context(cadata=authority.certificate_pem.decode())


@contextlib.asynccontextmanager
async def listening(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], engine: int = 1
) -> AsyncIterator[tuple[Gateway, Callable[..., "asyncio.Future[Stream]"]]]:
    writers: list[asyncio.StreamWriter] = []
    given = configuration(route(endpoint(engine)), limits=LIMITS)
    async with Gateway(given, authenticator=Keys()) as gateway:
        port = await gateway.serve("127.0.0.1", 0, tls[0])

        async def dial(*, silent: bool = False) -> Stream:
            wanted = {} if silent else {"ssl": tls[1], "server_hostname": "gateway"}
            stream = await asyncio.open_connection("127.0.0.1", port, **wanted)  # type: ignore[arg-type]
            writers.append(stream[1])
            return stream

        yield gateway, dial  # type: ignore[misc]
        for writer in writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def test_who_never_shakes_hands_counts_against_its_address(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with listening(contexts) as (gateway, dial):
        clients = [await dial(silent=True) for _ in range(20)]
        await eventually(lambda: gateway.statistics().turned_away == 18)
        ended = [reader for reader, _ in clients[2:]]
        assert [await reader.read() for reader in ended] == [b""] * 18


async def test_whoever_has_not_shaken_hands_in_time_makes_room(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with Engine() as engine, listening(contexts, engine.port) as (gateway, dial):
        silent = [await dial(silent=True) for _ in range(2)]
        for reader, _ in silent:
            async with asyncio.timeout(30):
                await reader.read()
        reader, writer = await dial()
        writer.write(request())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert gateway.statistics().turned_away == 0


async def test_a_connection_counts_once(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with Engine() as engine, listening(contexts, engine.port) as (gateway, dial):
        for _ in range(2):
            reader, writer = await dial()
            writer.write(request())
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        third, _ = await dial(silent=True)
        assert await third.read() == b""
        assert (gateway.statistics().connections, gateway.statistics().turned_away) == (2, 1)


async def test_none_is_accepted_after_the_end_began(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with listening(contexts) as (gateway, dial):
        await dial()
        await gateway.drain(0.1)
        with pytest.raises(ConnectionError):
            await dial()
