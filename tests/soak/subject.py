"""The process that is soaked: an informer, a controller, events, leader election and probes, as an operator has them.

    python -m tests.soak.subject --kubeconfig=... --namespace=...

It speaks the contenders' protocol of the benchmark and tells every --sample-seconds (5) how many tasks it has:

    {"event": "sample", "tasks": 41, "reconciles": 1234, "events": 1200}
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import uvloop

from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import NAMESPACES
from controller.runtime.client.errors import NotFound
from controller.runtime.clock import RealClock
from controller.runtime.controller import Controller
from controller.runtime.election.renewer import LeaderElector
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.health import HealthServer
from controller.runtime.manager import Manager
from controller.runtime.metrics_server import MetricsServer
from controller.runtime.objects.metadata import ApiStruct, KubeObject
from controller.runtime.reconcile import Request, Result
from controller.telemetry.logs import configure_logs
from controller.telemetry.metrics import Metrics
from tests.benchmarks.controller.objects import WIDGETS
from tests.benchmarks.controller.ours import report, standard_input

SAMPLE_SECONDS = 5.0
_SYNC_SECONDS = 60.0


class WidgetStatus(ApiStruct, frozen=True, kw_only=True):
    """What the controller writes."""

    observed: str = ""


class Widget(KubeObject, frozen=True, kw_only=True):
    """What a reconcile reads of a widget; apiVersion and kind are for its events."""

    api_version: str = WIDGETS.api_version
    kind: str = WIDGETS.kind
    status: WidgetStatus = WidgetStatus()


class Reconciler:
    """Writes the generation that it saw into the status, and an event that it did."""

    def __init__(self, client: Client, widgets: Informer[Widget], recorder: EventRecorder) -> None:
        self._client, self._widgets, self._recorder = client, widgets, recorder
        self.reconciles = 0

    async def reconcile(self, request: Request) -> Result:
        """Bring the status up to the generation."""
        self.reconciles += 1
        widget = self._widgets.store.get(request.key)
        if widget is None or widget.status.observed == str(widget.metadata.generation):
            return Result()
        observed = str(widget.metadata.generation)
        patch = {
            "metadata": {"resourceVersion": widget.metadata.resource_version},
            "status": {"observed": observed},
        }
        try:
            await self._client.merge_patch(WIDGETS, request.name, patch, request.namespace, subresource="status")
        except NotFound:
            return Result()  # deleted meanwhile; the event is on its way
        self._recorder.record(widget, "Normal", "Observed", f"generation {observed} was observed", "Observe")
        return Result()


class Subject:
    """Everything that the process consists of."""

    def __init__(self, options: argparse.Namespace, client: Client, metrics: Metrics) -> None:
        self._client, self._namespace = client, options.namespace
        self._sample_seconds = options.sample_seconds
        configuration = ClientConfiguration.from_kubeconfig(options.kubeconfig)
        elector = LeaderElector(configuration, namespace=options.namespace, name="soak", meter=metrics.meter)
        self._manager = Manager(elector=elector)
        self._recorder = EventRecorder(client, "soak")
        self._widgets = Informer(client, WIDGETS, into=Widget, namespace=options.namespace)
        self._reconciler = Reconciler(client.guarded(elector.check), self._widgets, self._recorder)
        controller = Controller("widget", self._reconciler.reconcile, workers=8, longest_delay=10, meter=metrics.meter)
        controller.for_(self._widgets)
        checks = {"manager": lambda: self._manager.ready}
        self._manager.add_health(HealthServer("127.0.0.1", 0, checks))
        self._manager.add_health(MetricsServer("127.0.0.1", 0, metrics.pieces, plain=True))
        self._manager.add_informer(self._widgets)
        self._manager.add(self._recorder)
        self._manager.add_controller(controller)

    async def run(self) -> None:
        """Speak the protocol from "ready" to "ended"."""
        await self._client.get(NAMESPACES, self._namespace)
        report("ready")
        lines = await standard_input()
        await lines.readline()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._manager.run(stop))
            await self._widgets.wait_synced(_SYNC_SECONDS)
            report("synced")
            sampling = tasks.create_task(self._sample())
            await lines.read()
            sampling.cancel()
            stop.set()
        report("ended", **self._figures())

    def _figures(self) -> dict[str, Any]:
        return {"reconciles": self._reconciler.reconciles, "events": self._recorder.statistics().written}

    async def _sample(self) -> None:
        clock = RealClock()
        while True:
            await clock.sleep(self._sample_seconds)
            report("sample", tasks=len(asyncio.all_tasks()), **self._figures())


async def main(options: argparse.Namespace) -> None:
    """Run until standard input ends."""
    configure_logs()
    metrics = Metrics("soak")
    configuration = ClientConfiguration.from_kubeconfig(options.kubeconfig)
    async with Client(configuration, user_agent="soak", meter=metrics.meter) as client:
        await Subject(options, client, metrics).run()
    metrics.close()


def parse() -> argparse.Namespace:
    """The protocol's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--sample-seconds", type=float, default=SAMPLE_SECONDS)
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main(parse()))
