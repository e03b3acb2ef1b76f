"""Starts everything that the story needs, and has Prometheus read it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from unittest import mock

import aiohttp

from controller.ui.review_gate import AUDIENCE as MAP_AUDIENCE
from e2e.plane import Plane, service_account_token
from e2e.plane.ports import LOOPBACK
from e2e.prometheus.reader import reader_token
from e2e.prometheus.server import Prometheus
from e2e.run.engines import Engines, start_engines
from e2e.run.exporter import list_gateway, start_exporter
from e2e.run.gateway import AUDIENCE
from e2e.run.install import CRD_FILES, GPU_SERVER, add_gpu_nodes, install
from e2e.run.live_map import start_live_map
from e2e.run.processes import Worker, start_agents, start_gateway, start_operators, wait_for_heartbeats
from tests.integration.metrics import hurry
from tests.integration.metrics.objects import BESIDE, SCENE_LABEL
from tests.integration.metrics.places import TEAM
from tests.integration.metrics.stage import Certificate, Stage
from tests.integration.operator.warm_start import WarmProcesses

SECURE: Final = "--metrics-secure"
LEASE: Final = ("--lease-duration", "10", "--renew-deadline", "8", "--retry-period", "0.5")
SHARDS: Final = ("--shards", "--peer-port", "0", "--peer-host", LOOPBACK)
CONNECTIONS: Final = 64
"""That one client may have at the gateway."""
HEARTBEAT: Final = ("--heartbeat-seconds", "1")
LOOKS: Final = {"kind": "ServiceAccount", "name": "looks", "namespace": TEAM}
"""Who looks at the live map."""


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes whose GPUs one process of agents simulates: the mode of each, and what the process is told besides."""

    nodes: Mapping[str, str]
    arguments: Sequence[str] = ()
    gpus: int = 1
    time_scale: float = 0.5


@asynccontextmanager
async def stage(prometheus: Prometheus, folder: Path, groups: Mapping[str, Group]) -> AsyncIterator[Stage]:
    """Everything started, read, and without rules yet; ended on exit."""
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(Plane(manifests=CRD_FILES))
        token, reader, viewer = await asyncio.to_thread(_prepare, plane, groups)
        prometheus.show(reader)
        with _warm(hurry.OPERATOR):
            starting = start_operators(plane, folder, arguments=(SECURE, *LEASE))
            operators = await stack.enter_async_context(starting)
            agents = {
                name: await stack.enter_async_context(_agents(plane, folder, name, group))
                for name, group in groups.items()
            }
        engines = await stack.enter_async_context(start_engines(plane, folder))
        certificate = Certificate(folder / "tls")
        with _warm(hurry.GATEWAY):
            gateway = await stack.enter_async_context(a_gateway(plane, folder, engines, certificate))
        await asyncio.to_thread(list_gateway, plane)
        exporter = await stack.enter_async_context(start_exporter(plane, folder, engines.addresses, (SECURE,)))
        shown_by = Certificate(folder / "map-tls")  # not the gateway's, which is to end
        shown = await stack.enter_async_context(start_live_map(plane, folder, shown_by.folder, (SECURE,)))
        connector = aiohttp.TCPConnector(limit=0, ssl=False)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        nodes = [name for group in groups.values() for name in group.nodes]
        await asyncio.to_thread(wait_for_heartbeats, plane, nodes)
        ours = (operators, agents, engines, [gateway], exporter, shown)
        made = Stage(plane, folder, prometheus, *ours, certificate, session, token, reader, viewer)
        await asyncio.to_thread(prometheus.read, made.targets())
        await made.eventually("every target is read", lambda: asyncio.to_thread(_all_up, made))
        yield made


def a_gateway(
    plane: Plane, folder: Path, engines: Engines, certificate: Certificate, name: str = "gateway"
) -> AbstractAsyncContextManager[Worker]:
    """One of several replicas."""
    limit = ("--max-connections-per-client", str(CONNECTIONS))
    arguments = (SECURE, "--tls-dir", str(certificate.folder), *SHARDS, *limit)
    return start_gateway(plane, folder, addresses=engines.addresses, name=name, arguments=arguments)


def _prepare(plane: Plane, groups: Mapping[str, Group]) -> tuple[str, str, str]:
    """Install, make nodes and the team's namespace; the team's token for the gateway, one that may read metrics, and one
    for the live map, of somebody who sees all of it."""
    install(plane)
    for node in (node for group in groups.values() for node in group.nodes):
        labels = {**GPU_SERVER.labels, SCENE_LABEL: node.removesuffix(BESIDE)}
        add_gpu_nodes(plane, [node], replace(GPU_SERVER, labels=labels))
    plane.admin.create("/api/v1/namespaces", {"metadata": {"name": TEAM}})
    account = f"/api/v1/namespaces/{TEAM}/serviceaccounts/default"
    plane.wait_until(lambda: plane.admin.find(account) is not None, f"{TEAM} has its ServiceAccount")
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding = {"metadata": {"name": "looks-at-the-map"}, "roleRef": role, "subjects": [LOOKS]}
    plane.admin.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    plane.admin.create(f"/api/v1/namespaces/{TEAM}/serviceaccounts", {"metadata": {"name": LOOKS["name"]}})
    viewer = service_account_token(plane, TEAM, LOOKS["name"], audience=MAP_AUDIENCE)
    return service_account_token(plane, TEAM, "default", audience=AUDIENCE), reader_token(plane), viewer


def _agents(plane: Plane, folder: Path, name: str, group: Group) -> AbstractAsyncContextManager[Worker]:
    arguments = (SECURE, "--gpus", str(group.gpus), *HEARTBEAT, *group.arguments)
    scale = group.time_scale
    return start_agents(plane, folder, group.nodes, time_scale=scale, name=f"agents-{name}", arguments=arguments)


def _all_up(made: Stage) -> bool:
    found = made.prometheus.api.targets()
    return len(found) == len(made.targets()) and all(one["health"] == "up" for one in found)


@contextmanager
def _warm(program: str) -> Iterator[None]:
    """Within the block processes of ours are started by a parent that runs `program`."""

    def processes(_: Path) -> WarmProcesses:
        return WarmProcesses(program)

    with mock.patch("e2e.run.processes.Processes", processes):
        yield
