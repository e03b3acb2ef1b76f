"""Probes tell the truth."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from controller.runtime.health import Check, HealthServer


def broken() -> bool:
    raise RuntimeError("no idea")


@asynccontextmanager
async def serving(server: HealthServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run())
        await server.wait_started(30)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            yield session
        task.cancel()


@pytest.mark.parametrize(
    ("check", "want_status", "want_text"),
    [
        pytest.param(lambda: True, 200, "[+]one ok\nok\n", id="fine"),
        pytest.param(lambda: False, 503, "[-]one failed\nnot ok\n", id="failed"),
        pytest.param(lambda: "no caches", 503, "[-]one no caches\nnot ok\n", id="failed with a reason"),
        pytest.param(broken, 503, "[-]one raised RuntimeError: no idea\nnot ok\n", id="raised"),
    ],
)
async def test_readyz(check: Check, want_status: int, want_text: str) -> None:
    async with serving(HealthServer("127.0.0.1", 0, {"one": check})) as session, session.get("/readyz") as answer:
        assert (answer.status, await answer.text()) == (want_status, want_text)


async def test_one_check_alone() -> None:
    checks: dict[str, Check] = {"good": lambda: True, "bad": lambda: False}
    async with serving(HealthServer("127.0.0.1", 0, checks)) as session:
        found = {}
        for name in ("good", "bad", "none"):
            async with session.get(f"/readyz/{name}") as answer:
                found[name] = answer.status
    assert found == {"good": 200, "bad": 503, "none": 404}


async def test_alive_is_not_ready() -> None:
    server = HealthServer("127.0.0.1", 0, {"one": lambda: False}, live_checks={"two": lambda: True})
    async with serving(server) as session, session.get("/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "[+]two ok\nok\n")


async def test_figures_are_not_served_here() -> None:
    async with serving(HealthServer("127.0.0.1", 0, {})) as session, session.get("/metrics") as answer:
        assert answer.status == 404


async def test_a_taken_port_is_an_error() -> None:
    first = HealthServer("127.0.0.1", 0, {})
    async with serving(first):
        with pytest.raises(OSError, match="in use"):
            await HealthServer("127.0.0.1", first.port, {}).run()
