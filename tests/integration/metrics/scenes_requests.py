"""Scenes of requests: too many of them, engines that are gone, gateways that come."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from controller.telemetry.instruments import GATEWAY_REJECTED, GATEWAY_REPLICAS
from e2e.plane.ports import LOOPBACK
from tests.integration.metrics.furniture import answers
from tests.integration.metrics.judgement import Expected
from tests.integration.metrics.objects import stranger
from tests.integration.metrics.places import SLICES, TEAM
from tests.integration.metrics.scenes_memory import TOO_MUCH, weigh
from tests.integration.metrics.stage import Stage
from tests.integration.metrics.staging import CONNECTIONS, a_gateway


async def flood(stage: Stage) -> None:
    """More requests than a service has seats and a queue for; then many more that find it empty."""
    who = {"namespace": TEAM, "service": "flooded"}
    expected = [
        Expected(f"Aim{name}", who)
        for name in ("ModelQueueSaturated", "ModelRequestsRefused", "SloBurnsFast", "SloBurnsSlowly")
    ]
    async with stage.scene("a service is flooded", *expected):
        async with _asking(stage, "flooded", callers=20, tokens=64), _asking(stage, "neighbour", callers=2, tokens=4):
            await stage.fire(*expected[:3])
        await stage.fire(*expected[3:])
        async with _asking(stage, "flooded", callers=6, tokens=1):
            await stage.over(expected)


@asynccontextmanager
async def _asking(stage: Stage, model: str, callers: int, tokens: int) -> AsyncIterator[None]:
    """So many callers, each with one request at a time, while the block lasts. A refusal is not heeded for long."""
    async with asyncio.TaskGroup() as tasks:

        async def ask() -> None:
            while True:
                if await stage.ask(model, tokens) != 200:
                    await asyncio.sleep(0.25)

        asking = [tasks.create_task(ask()) for _ in range(callers)]
        yield
        for one in asking:
            one.cancel()


async def engines_gone(stage: Stage) -> None:
    """All engines end, and one comes back larger than its claim was sized.

    Meanwhile somebody in the place of one says that he is asked too much, and nobody is in the place of another.
    """
    alert = Expected("AimModelRequestsFail", {"namespace": TEAM, "service": "steady"})
    besides = [Expected("AimModelRequestsFail", {"namespace": TEAM}), TOO_MUCH]
    async with stage.scene("engines are gone", alert, allowed=besides):
        uids = {app: await _uids(stage, app) for app in ("steady", "neighbour")}
        await weigh(stage, 60)
        await stage.engines.kill()
        with socket.socket() as nobody:
            nobody.bind((LOOPBACK, 0))
            async with _too_busy() as busy, _asking(stage, "steady", 4, 1), _asking(stage, "neighbour", 1, 1):
                there = dict.fromkeys(uids["steady"], busy)
                away = dict.fromkeys(uids["neighbour"], f"{LOOPBACK}:{nobody.getsockname()[1]}")
                stage.engines.addresses.write_text(json.dumps(there | away))
                await stage.fire(alert)
        await stage.engines.start()
        for app in uids:
            await stage.eventually(f"{app} answers again", partial(answers, stage, app))


async def _uids(stage: Stage, app: str) -> list[str]:
    """Of the pods whose names begin so."""
    return [pod["metadata"]["uid"] for pod in await stage.pods() if pod["metadata"]["name"].startswith(app)]


@asynccontextmanager
async def _too_busy() -> AsyncIterator[str]:
    """Where somebody answers 503 to everything."""

    async def refuse(_: web.BaseRequest) -> web.Response:
        return web.Response(status=503)

    runner = web.ServerRunner(web.Server(refuse))
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    try:
        yield f"{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def stranger_listed(stage: Stage) -> None:
    """Somebody lists in a service's place what is no engine of ours."""
    async with stage.scene("a stranger is listed"):
        await stage.create(SLICES, stranger("steady"))
        await stage.shown(f"{GATEWAY_REJECTED.exported_name} > 0")
        await stage.delete(f"{SLICES}/steady-stranger")


async def another_gateway(stage: Stage) -> None:
    """A second replica takes its part of the partitions, and leaves again. One client wants too many connections."""
    async with (
        stage.scene("a second gateway"),
        a_gateway(stage.plane, stage.folder / "b", stage.engines, stage.certificate, "gateway-b") as second,
        _connections(stage, CONNECTIONS + 8),
    ):
        stage.gateways.append(second)
        stage.read_again()
        await stage.shown(f"{GATEWAY_REPLICAS.exported_name} > 1")
        await asyncio.sleep(5)
        stage.gateways.remove(second)
    stage.read_again()


@asynccontextmanager
async def _connections(stage: Stage, count: int) -> AsyncIterator[None]:
    """So many connections to the gateway at once, of which those beyond its limit are turned away."""
    made = [await asyncio.open_connection(LOOPBACK, stage.gateways[0].ports["gateway"]) for _ in range(count)]
    try:
        yield
    finally:
        for _, writer in made:
            writer.close()
