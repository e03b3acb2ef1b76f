"""The live map, served to this machine alone until a signal comes."""

import asyncio
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from controller.cli.cluster import Cluster
from controller.cli.live_rights import NotReadable
from controller.cli.output import failed, note
from controller.runtime.cache.informer import CacheNotSynced
from controller.runtime.client.client import Client
from controller.runtime.clock import RealClock
from controller.runtime.signals import stopping_on_signals
from controller.ui.gate import TokenGate
from controller.ui.live_map import LiveMap
from controller.ui.opening import show
from controller.ui.server import MapServer

_LOOPBACK: Final = "127.0.0.1"
_STARTS_SECONDS: Final = 10.0


def serve(kubeconfig: Path | None, context: str | None, port: int, system_namespace: str, *, browser: bool) -> None:
    """Serve the map of that cluster. What prevents it ends the command with a sentence and exit code 1."""
    cluster = Cluster(kubeconfig, context, "show the map")
    try:
        cluster.ask(lambda client: _serve(client, port, system_namespace, browser=browser))
    except NotReadable as error:
        raise failed(f"cannot show the map: {error}; ask an administrator of the cluster for the right") from error
    except CacheNotSynced as error:
        raise failed(f"cannot show the map: {error}; see that the API server answers") from error
    except OSError as error:
        problem = error.strerror or str(error)
        raise failed(f"--port {port}: cannot listen on {_LOOPBACK} ({problem}); give another port") from error


async def _serve(client: Client, port: int, system_namespace: str, *, browser: bool) -> None:
    clock, stop, token = RealClock(), asyncio.Event(), secrets.token_urlsafe(32)
    shown = LiveMap(client, system_namespace, clock)
    server = MapServer(_LOOPBACK, port, feed=shown.feed, gate=TokenGate(token), answers=shown.planner, clock=clock)

    async def tell() -> None:
        await server.wait_started(_STARTS_SECONDS)
        url = f"http://{_LOOPBACK}:{server.port}/#token={token}"
        note(f"the map is at {url}")
        note("Ctrl-C ends it")
        if browser and (problem := await asyncio.to_thread(show, url, files)):
            note(problem)

    async def once_filled() -> None:
        await shown.wait_filled()
        async with asyncio.TaskGroup() as group:
            group.create_task(server.run())
            group.create_task(tell())

    with stopping_on_signals(stop), ExitStack() as files:
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(shown.run()), group.create_task(once_filled())]
                await stop.wait()
                for task in running:
                    task.cancel()
        except* Exception as failures:  # noqa: BLE001 - the first of them is raised
            raise _first(failures) from None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that made the others stop."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
