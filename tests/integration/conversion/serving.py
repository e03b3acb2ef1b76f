"""The operator's servers without its reconcilers, as processes behind one address: thousands of objects, and no pods.

API server -> balancer -> replica (this file, run with -m): OperatorServers, as the operator itself runs them
"""

import argparse
import asyncio
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from api.group import GROUP
from controller.entrypoints.operator_options import OperatorOptions
from controller.entrypoints.operator_servers import OperatorServers
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import Timeout
from controller.runtime.client.resource import Resource
from controller.runtime.clock import RealClock
from controller.runtime.manager import Manager
from controller.telemetry.logs import configure_logs
from controller.telemetry.metrics import Metrics
from e2e.plane import Balancer, Plane
from e2e.plane.ports import LOOPBACK
from e2e.run.processes import operator_kubeconfig
from tests.integration.runtime.gadgets import Replica

ROOT = Path(__file__).parents[3]
Object = dict[str, Any]


def services(version: str) -> Resource:
    """InferenceServices in that version."""
    return Resource(GROUP, version, "inferenceservices", "InferenceService")


def policies(version: str) -> Resource:
    """GPUSharingPolicies in that version."""
    return Resource(GROUP, version, "gpusharingpolicies", "GPUSharingPolicy", namespaced=False)


async def listed(client: Client, resource: Resource, namespace: str) -> list[Object]:
    """All of them, in one page. A list that waits too long for the API server's cache is refused, and asked for again.

    What fills that cache is converted one by one: thousands take a while.
    """
    while True:
        try:
            return list((await client.list(resource, namespace, limit=0)).items)
        except Timeout:
            await asyncio.sleep(0.1)


def at(obj: Object, pointer: str) -> Any:
    """What is at a JSON pointer."""
    found: Any = obj
    for part in pointer.split("/")[1:]:
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


# A replica ------------------------------------------------------------------------------------------------------------


async def serve(options: OperatorOptions) -> None:
    """Serve until SIGTERM, or until whoever started it is gone; the first line on stdout is the webhook's port."""
    stop, clock, metrics = asyncio.Event(), RealClock(), Metrics("operator")
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)
    assert options.kubeconfig is not None
    async with Client(ClientConfiguration.from_kubeconfig(options.kubeconfig)) as client, asyncio.TaskGroup() as tasks:
        manager = Manager(clock=clock)
        servers = OperatorServers(options, client, clock, metrics=metrics, reviews=client, manager=manager)
        running = tasks.create_task(manager.run(stop))
        sys.stdout.write(f"{(await servers.ports())['webhook']}\n")
        sys.stdout.flush()
        await running


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--webhook-url", required=True)
    given = parser.parse_args()
    configure_logs("info")
    options = OperatorOptions(
        kubeconfig=given.kubeconfig,
        bind_host=LOOPBACK,
        webhook_port=0,
        webhook_url=given.webhook_url,
        health_port=0,
        metrics_port=0,
        metrics_plain=True,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options))


# A test's side --------------------------------------------------------------------------------------------------------


@dataclass
class Webhooks:
    """Replicas behind a balancer, and a client for what is asked of them through the API server."""

    plane: Plane
    client: Client
    balancer: Balancer
    kubeconfig: Path
    replicas: list[Replica] = field(default_factory=list)

    async def start_replica(self) -> Replica:
        """One more process behind the balancer, that serves and is registered."""
        url = f"https://{LOOPBACK}:{self.balancer.port}"
        command = (sys.executable, "-m", __name__, "--kubeconfig", str(self.kubeconfig), "--webhook-url", url)
        log = self.plane.folder / "logs" / f"webhooks-{uuid.uuid4().hex[:6]}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
        assert line, log.read_text(encoding="utf-8")[-4000:]
        replica = Replica(process, int(line))
        self.replicas.append(replica)
        self.balancer.add(replica.port)
        return replica

    async def create_all(self, resource: Resource, objects: list[Object], at_once: int = 32) -> list[Object]:
        """Create `objects`, some at once; the answers in their order."""
        made: list[Object] = [{} for _ in objects]
        queue = iter(enumerate(objects))

        async def work() -> None:
            for position, obj in queue:
                made[position] = await self.client.create(resource, obj)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(work())
        return made


@asynccontextmanager
async def webhooks(plane: Plane, folder: Path, replicas: int = 2) -> AsyncIterator[Webhooks]:
    """Serving and registered replicas, ended on exit."""
    kubeconfig = await asyncio.to_thread(operator_kubeconfig, plane, folder)
    async with Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig)) as client:
        with Balancer() as balancer:
            made = Webhooks(plane, client, balancer, kubeconfig)
            try:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(replicas):
                        tasks.create_task(made.start_replica())
                yield made
            finally:
                for replica in made.replicas:
                    await replica.end(signal.SIGTERM)


if __name__ == "__main__":
    main()
