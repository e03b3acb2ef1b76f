"""A client that is left leaves no socket behind, also when the other end never says goodbye."""

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.certs.serving import server_context
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES
from controller.runtime.clock import RealClock

DAY = timedelta(days=1)
EVENT = b'{"type":"BOOKMARK","object":{"kind":"Node","metadata":{"resourceVersion":"7"}}}\n'


@pytest.fixture
def server() -> Iterator[ClientConfiguration]:
    """Answers every watch with one event, everything else with nothing, and is deaf from then on."""
    authority = make_authority("test", RealClock().now(), 2 * DAY)
    context = server_context(issue_leaf(authority, ["api.test"], RealClock().now(), DAY))
    over = threading.Event()

    def deaf(accepted: socket.socket) -> None:
        with context.wrap_socket(accepted, server_side=True) as connection:
            if b"watch=" in connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                connection.sendall(b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
            over.wait(30)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=deaf, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        yield ClientConfiguration(url, ca=authority.certificate_pem, tls_server_name="api.test")
        over.set()
        listening.shutdown(socket.SHUT_RDWR)


async def a_watch(client: Client) -> None:
    events = client.watch(NODES, resource_version="1", timeout_seconds=60)
    async for _event in events:
        break
    await events.aclose()


async def a_request(client: Client) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.get(NODES, "n")


@pytest.mark.parametrize("leave", [a_watch, a_request])
def test_no_socket_is_left_to_the_garbage_collector(server: ClientConfiguration, leave: object) -> None:
    async def main() -> None:
        async with Client(server) as client:
            await leave(client)  # type: ignore[operator]

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(main())
        gc.collect()
    assert [str(one.message) for one in told] == []
