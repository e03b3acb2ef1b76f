"""The same on the loop that the process runs on: its transports pause, end and reset in ways of their own."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvloop

from controller.gateway.gateway import Gateway
from controller.gateway.tls import server_context
from controller.runtime.certs.authority import issue_leaf, make_authority
from tests.controller.gateway import (
    test_bad_engines,
    test_disconnects,
    test_hijack,
    test_reload_under_load,
    test_slow_clients,
    test_smuggling,
)
from tests.controller.gateway.exchanging import Client, Dial

Work = Callable[..., Coroutine[Any, Any, None]]

MODULES = (
    test_bad_engines,
    test_disconnects,
    test_hijack,
    test_reload_under_load,
    test_slow_clients,
    test_smuggling,
)


def alone() -> list[Work]:
    """Tests of these modules that take nothing."""
    found = [value for module in MODULES for name, value in vars(module).items() if name.startswith("test_")]
    return [one for one in found if asyncio.iscoroutinefunction(one) and not one.__code__.co_argcount]


CASES: list[tuple[str, Work, tuple[Any, ...]]] = [
    *((one.__name__, one, ()) for one in alone()),
    *(
        (f"before its answer: {row[0]}", test_bad_engines.test_before_its_answer_an_engine, row[1:])
        for row in test_bad_engines.BEFORE
    ),
    *(
        (f"in its answer: {row[0]}", test_bad_engines.test_in_its_answer_an_engine, row[1:])
        for row in test_bad_engines.DURING
    ),
    *(
        (f"beyond: {row[0]}", test_bad_engines.test_what_an_engine_sends_beyond_its_answer_is_nobodys, row[1:])
        for row in test_bad_engines.BEYOND
    ),
    *((f"smuggled: {row[0]}", test_smuggling.test_refused, (*row[1:], 7)) for row in test_smuggling.CORPUS),
    *((f"slow: {row[0]}", test_slow_clients.test_a_client_that_stops, row[1:]) for row in test_slow_clients.SLOW),
    *(
        (f"{goes.__name__}: {stage.__name__}", test_disconnects.test_a_client_that_goes, (stage, want, goes))
        for stage, want in test_disconnects.STAGES
        for goes in (test_disconnects.ends, test_disconnects.resets)
    ),
]


# What is read of a head is the same over TLS; and to send no more after an answer takes a second there each time. A client
# that is one too many may be closed before its own handshake is over, which is an error where it connects.
ONE_TOO_MANY = test_slow_clients.test_connections_beyond_those_of_one_client_are_closed
OVER_TLS = [case for case in CASES if not case[0].startswith("smuggled") and case[1] is not ONE_TOO_MANY]


@pytest.mark.parametrize(("work", "arguments"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_on_uvloop(work: Work, arguments: tuple[Any, ...]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(*arguments))


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the gateway and of its clients."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    authority = make_authority("gateway", now - timedelta(days=1), timedelta(days=2))
    made = issue_leaf(authority, ["localhost"], now - timedelta(hours=1), timedelta(days=1))
    (folder / "tls.crt").write_bytes(made.certificate_pem)
    (folder / "tls.key").write_bytes(made.private_key_pem)
    context = server_context()
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context, ssl.create_default_context(cadata=authority.certificate_pem.decode())


@pytest.mark.parametrize(("work", "arguments"), [case[1:] for case in OVER_TLS], ids=[case[0] for case in OVER_TLS])
def test_over_tls(
    work: Work,
    arguments: tuple[Any, ...],
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = contexts
    serve = Gateway.serve

    async def dial(self: Dial) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=theirs, server_hostname="localhost")
        client = Client(reader, writer)
        self._clients.append(client)
        return client

    monkeypatch.setattr(Gateway, "serve", lambda self, host, port: serve(self, host, port, ssl=ours))
    monkeypatch.setattr(Dial, "__call__", dial)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(*arguments))


def test_there_is_much_to_run() -> None:
    assert len(CASES) > 100
    assert len(OVER_TLS) > 60
