"""A client that is left leaves no socket behind, also when the other end never says goodbye."""

import asyncio
import gc
import socket
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
import uvloop

from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.certs.serving import server_context
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NODES
from controller.runtime.clock import RealClock

pytestmark = pytest.mark.alone

DAY = timedelta(days=1)
AT_ONCE_SECONDS = 0.9  # less than the second after which it would stop waiting
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


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("leave", [a_watch, a_request])
def test_no_socket_is_left_to_the_garbage_collector(
    server: ClientConfiguration,
    leave: Callable[[Client], Awaitable[None]],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> float:
        async with Client(server) as client:
            await leave(client)
            began = time.perf_counter()
        return time.perf_counter() - began

    with warnings.catch_warnings(record=True) as told, asyncio.Runner(loop_factory=new_loop) as runner:
        warnings.simplefilter("always")
        took = runner.run(main())
        runner.close()
        gc.collect()
    assert [str(one.message) for one in told] == []
    assert caplog.records == []
    assert took < AT_ONCE_SECONDS
