"""A controller as a process of its own: writes the generation that it saw into each Counter's status.

    python -m tests.integration.runtime.observer KUBECONFIG NAMESPACE FIGURES

On SIGTERM it ends and writes its figures, a JSON object, to the file FIGURES.
"""

import asyncio
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from controller.runtime.cache.informer import Informer
from controller.runtime.client.apply import write_status
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import Conflict
from controller.runtime.client.resource import Resource
from controller.runtime.controller import Controller
from controller.runtime.manifest import Manifest, generation_of
from controller.runtime.predicate import generation_changed
from controller.runtime.reconcile import Request, Result
from controller.telemetry.logs import configure_logs

COUNTERS = Resource("test.aim.amd.com", "v1", "counters", "Counter")


async def observe(kubeconfig: Path, namespace: str) -> dict[str, object]:
    """Run until SIGTERM; the figures of that moment."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Client(ClientConfiguration.from_kubeconfig(kubeconfig), user_agent="observer") as client:
        counters: Informer[Manifest] = Informer(client, COUNTERS, namespace=namespace)

        async def reconcile(request: Request) -> Result:
            counter = counters.store.get(request.key)
            if counter is not None:
                try:
                    await write_status(client, COUNTERS, counter, {"observedGeneration": generation_of(counter)})
                except Conflict:
                    return Result()  # it changed meanwhile, and the event that says so is on its way
            return Result()

        controller = Controller("observer", reconcile, workers=8)
        controller.for_(counters, [generation_changed])
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(run()) for run in (counters.run, controller.run)]
            await stop.wait()
            figures: dict[str, object] = {
                "informer": asdict(counters.statistics()),
                "controller": asdict(controller.statistics()),
                "tasks": len(asyncio.all_tasks()),
            }
            for task in running:
                task.cancel()
    return figures


if __name__ == "__main__":
    configure_logs(human=False)  # for people, tracebacks would be drawn by rich: 5 MB at the first one
    Path(sys.argv[3]).write_text(json.dumps(asyncio.run(observe(Path(sys.argv[1]), sys.argv[2]))))
