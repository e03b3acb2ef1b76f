"""A plane with our manifests, simulated GPU nodes, and agents of this process with node-bound tokens."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.entrypoints.run_agent import AgentProcess
from controller.gpu.mode import Mode
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import RealClock
from controller.telemetry.metrics import Metrics
from e2e.plane import Admin, Plane, add_nodes, remove_nodes, service_account_token
from e2e.run.install import SYSTEM_NAMESPACE

GPU_NODES = "/apis/aim.amd.com/v1beta1/gpunodes"
SLICES = "/apis/resource.k8s.io/v1/resourceslices"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases"
ACCOUNT = "aim-gpu-agent"
LIMIT_SECONDS = 60.0

Object = dict[str, Any]


@dataclass
class Site:
    """The plane as a test of agents sees it. Blocking calls are short; waits give way to the event loop."""

    plane: Plane
    folder: Path
    added: list[str] = field(default_factory=list)

    def get(self, path: str) -> Object:
        return self.plane.admin.get(path)

    def gpu_node(self, name: str) -> Object:
        return self.get(f"{GPU_NODES}/{name}")

    def operation(self, name: str) -> Object:
        recorded: Object = self.gpu_node(name).get("status", {}).get("operation", {})
        return recorded

    def slices(self, node: str) -> list[Object]:
        items: list[Object] = self.get(f"{SLICES}?fieldSelector=spec.nodeName%3D{node}")["items"]
        return items

    def devices(self, node: str) -> dict[str, Object]:
        return {device["name"]: device for one in self.slices(node) for device in one["spec"].get("devices", [])}

    def reported(self, node: str) -> bool:
        return bool(self.devices(node)) and "summary" in self.gpu_node(node).get("status", {})

    def add_node(self) -> str:
        """A Node and the GPUNode that the operator would make for it."""
        name = f"gpu-{uuid4().hex[:8]}"
        add_nodes(self.plane, [name])
        self.added.append(name)
        uid = self.get(f"/api/v1/nodes/{name}")["metadata"]["uid"]
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
        metadata = {"name": name, "ownerReferences": [owner]}
        kind = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUNode"}
        self.plane.admin.create(GPU_NODES, {**kind, "metadata": metadata, "spec": {}})
        return name

    def ask(self, node: str, operation_id: str, before: dict[str, str], after: dict[str, str]) -> None:
        """Write an operation as the operator would."""
        layouts = [{"gpus": [{"bdf": b, "mode": m} for b, m in modes.items()]} for modes in (before, after)]
        operation = {"id": operation_id, "from": layouts[0], "to": layouts[1]}
        self.operator.patch(f"{GPU_NODES}/{node}", {"spec": {"operation": operation}})

    @property
    def operator(self) -> Admin:
        """The operator's identity: nobody else writes operations and claims, administrators neither."""
        token = service_account_token(self.plane, SYSTEM_NAMESPACE, "aim-gpu-operator")
        return Admin(self.plane.server, self.plane.ca, token)

    def token(self, node: str | None) -> str:
        return service_account_token(self.plane, SYSTEM_NAMESPACE, ACCOUNT, bound_node=node)

    def client(self, node: str | None) -> Client:
        """A client with the token of an agent of `node`; None: a token bound to no node."""
        configuration = ClientConfiguration(server=self.plane.server, ca=str(self.plane.ca), token=self.token(node))
        return Client(configuration)

    def options(self, nodes: dict[str, str], time_scale: float = 0.0) -> AgentOptions:
        specs = []
        for name, mode in nodes.items():
            path = self.folder / f"{name}.token"
            path.write_text(self.token(name), encoding="ascii")
            specs.append(NodeOptions(name, path, Mode.parse(mode)))
        return AgentOptions(
            nodes=tuple(specs),
            connection=ClientConfiguration(server=self.plane.server, ca=str(self.plane.ca)),
            time_scale=time_scale,
            state_dir=self.folder / "state",
            host="127.0.0.1",
            health_port=0,
            metrics_port=0,
            metrics_plain=True,
        )

    async def until(self, condition: Callable[[], bool], what: str, limit_seconds: float = LIMIT_SECONDS) -> None:
        deadline = time.monotonic() + limit_seconds
        while not await asyncio.to_thread(condition):
            assert time.monotonic() < deadline, f"not within {limit_seconds} s: {what}"
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def agents(self, nodes: dict[str, str], time_scale: float = 0.0) -> AsyncIterator[AgentProcess]:
        """A running agent process that has reported all its nodes."""
        async with self.process(self.options(nodes, time_scale)) as process:
            await self.until(lambda: all(self.reported(name) for name in nodes), "all nodes are reported")
            yield process

    @asynccontextmanager
    async def process(self, options: AgentOptions) -> AsyncIterator[AgentProcess]:
        stop = asyncio.Event()
        configuration = options.configuration(options.nodes[0])
        with closing(Metrics("agent")) as metrics:
            async with Client(configuration) as reviews, asyncio.TaskGroup() as tasks:
                process = AgentProcess(options, reviews, metrics, RealClock())
                tasks.create_task(process.run(stop))
                try:
                    yield process
                finally:
                    stop.set()


async def scrape(process: AgentProcess, path: str = "/metrics") -> str:
    """What the process answers on the port that serves `path`; errors too."""
    port = process.metrics.port if path == "/metrics" else process.health.port

    def ask() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return str(error.read().decode())

    return await asyncio.to_thread(ask)


@pytest.fixture(scope="session")
def installed(installed_plane: Plane) -> Plane:
    """The plane with our manifests, once the admission policies bite (a new binding takes about a second)."""
    plane = installed_plane
    add_nodes(plane, ["gpu-policy-probe"])
    token = service_account_token(plane, SYSTEM_NAMESPACE, ACCOUNT, bound_node="gpu-policy-probe")
    probes = (f"{LEASES}?dryRun=All", f"{SLICES}?dryRun=All")
    plane.wait_until(lambda: all(refused(plane, token, path) for path in probes), "the agents' policies bite")
    return plane


def refused(plane: Plane, token: str, path: str) -> bool:
    """Whether an agent may not make an object of a node that is not its own."""
    admin = Admin(plane.server, plane.ca, token)
    spec = {
        "driver": "gpu.amd.com",
        "nodeName": "other",
        "pool": {"name": "other", "generation": 1, "resourceSliceCount": 1},
    }
    body: Object = {"metadata": {"name": "other"}}
    status, answer = admin.raw("POST", path, {**body, "spec": spec} if "slices" in path else body)
    return status in {403, 422} and b"its own node" in answer


@pytest.fixture
def site(installed: Plane, tmp_path: Path) -> Iterator[Site]:
    """Its nodes are gone afterwards: others' pods would find devices there."""
    made = Site(installed, tmp_path)
    yield made
    remove_nodes(installed, made.added)
