"""Our side of the benchmark: a controller on controller.runtime as its users build one, in the contenders' protocol.

python -m tests.benchmarks.controller.ours --kubeconfig=... --scenario=status --namespace=... --token=...
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import uvloop

from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NAMESPACES, PODS
from controller.runtime.controller import Controller
from controller.runtime.health import HealthServer
from controller.runtime.manager import Manager
from controller.runtime.metrics_server import MetricsServer
from controller.runtime.objects.metadata import ApiStruct, KubeObject
from controller.runtime.reconcile import Request, Result
from controller.telemetry.logs import configure_logs
from controller.telemetry.metrics import Metrics
from tests.benchmarks.controller.objects import SENT, WIDGETS
from tests.benchmarks.controller.representations import REPRESENTATIONS

_SYNC_SECONDS = 300.0
USER_AGENT = "bench-controller"
"""The peer's too: the API server takes it for the name of the fields' owner, and a change of owner is more work."""

Counted: TypeAlias = Callable[[], Mapping[str, Any]]
"""What is said at the end."""


class WidgetStatus(ApiStruct, frozen=True, kw_only=True):
    """What the controllers write."""

    observed: str = ""


class Widget(KubeObject, frozen=True, kw_only=True):
    """What a reconcile reads of a widget."""

    status: WidgetStatus = WidgetStatus()


def report(event: str, **more: Any) -> None:
    """Write one line of the protocol."""
    sys.stdout.buffer.write(orjson.dumps({"event": event, "at": time.time_ns(), **more}) + b"\n")
    sys.stdout.buffer.flush()


class StatusWriter:
    """Writes one status an object."""

    def __init__(self, client: Client, widgets: Informer[Widget], token: str) -> None:
        self._client, self._widgets, self._token = client, widgets, token
        self._patch = {"status": {"observed": token}}
        self.reconciles = 0

    async def reconcile(self, request: Request) -> Result:
        """Write the token unless it is there."""
        if not self.reconciles:
            report("first")
        self.reconciles += 1
        widget = self._widgets.store.get(request.key)
        if widget is not None and widget.status.observed != self._token:
            await self._client.merge_patch(WIDGETS, request.name, self._patch, request.namespace, subresource="status")
        return Result()


class Listener:
    """Notes how long ago the change it is called for was sent."""

    def __init__(self, widgets: Informer[Widget]) -> None:
        self._widgets = widgets
        self._started = time.time_ns()
        self.milliseconds: list[float] = []

    async def reconcile(self, request: Request) -> Result:
        """Compare the clock with the annotation, unless it is an earlier run's."""
        entered = time.time_ns()
        widget = self._widgets.store.get(request.key)
        sent = int(widget.metadata.annotations.get(SENT, 0)) if widget is not None else 0
        if sent >= self._started:
            self.milliseconds.append((entered - sent) / 1e6)
        return Result()


class Process:
    """Everything that the process consists of."""

    def __init__(self, options: argparse.Namespace, client: Client, metrics: Metrics) -> None:
        self._options, self._client, self._metrics = options, client, metrics
        self._manager = Manager()
        self._manager.add_health(HealthServer("127.0.0.1", 0, {"manager": lambda: self._manager.ready}))
        self._manager.add_health(MetricsServer("127.0.0.1", 0, metrics.pieces, plain=True))
        self._informer, self._counted = self._pods() if options.scenario == "pods" else self._widgets()
        self._manager.add_informer(self._informer)

    async def run(self) -> None:
        """Speak the protocol from "ready" to "ended"."""
        await self._client.get(NAMESPACES, self._options.namespace)
        report("ready")
        lines = await standard_input()
        await lines.readline()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._manager.run(stop))
            await self._informer.wait_synced(_SYNC_SECONDS)
            report("synced")
            await lines.read()
            stop.set()
        report("ended", **self._counted())

    def _widgets(self) -> tuple[Informer[Any], Counted]:
        options = self._options
        widgets = Informer(self._client, WIDGETS, into=Widget, namespace=options.namespace)
        reconciler: StatusWriter | Listener
        if options.scenario == "status":
            reconciler = writer = StatusWriter(self._client, widgets, options.token)
            counted: Counted = lambda: {"reconciles": writer.reconciles}  # noqa: E731
        else:
            reconciler = listener = Listener(widgets)
            counted = lambda: {"milliseconds": listener.milliseconds}  # noqa: E731
        controller = Controller("widget", reconciler.reconcile, workers=options.workers, meter=self._metrics.meter)
        controller.for_(widgets)
        self._manager.add_controller(controller)
        return widgets, counted

    def _pods(self) -> tuple[Informer[Any], Counted]:
        kept = REPRESENTATIONS[self._options.projection]
        pods: Informer[Any] = Informer(
            self._client, PODS, into=kept.into, project=kept.project, namespace=self._options.namespace
        )
        seen = 0

        def count(event: StoreEvent[Any]) -> None:
            nonlocal seen
            seen += event.old is None

        pods.add_handler(count)
        return pods, lambda: {"objects": seen}


async def standard_input() -> asyncio.StreamReader:
    """Standard input as a stream."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def main(options: argparse.Namespace) -> None:
    """Run until standard input ends."""
    configure_logs()
    metrics = Metrics("bench")
    configuration = ClientConfiguration.from_kubeconfig(options.kubeconfig)
    async with Client(configuration, user_agent=USER_AGENT, meter=metrics.meter) as client:
        await Process(options, client, metrics).run()
    metrics.close()


def parse() -> argparse.Namespace:
    """The protocol's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--scenario", choices=("status", "latency", "pods"), required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--projection", choices=sorted(REPRESENTATIONS), default="full")
    parser.add_argument("--workers", type=int, default=32)
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(parse()))
