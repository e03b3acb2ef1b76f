"""AMD's DaemonSets on a simulated node: real ones, which tolerate nothing of ours, as AMD's manifests do not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.reconcilers.node_plugins.plugins import NodePlugins
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import RealClock
from controller.state.cluster import Cluster
from e2e.plane import NodeShape, Plane, add_nodes, remove_nodes, service_account_token
from e2e.run.install import SYSTEM_NAMESPACE

Object = dict[str, Any]
NODE = "amd-0"
OTHER = "amd-1"
GPU_LABEL = "feature.node.kubernetes.io/amd-gpu"


def daemon_set(name: str, labels: dict[str, str], image: str, **spec: Any) -> Object:
    """As AMD's manifests have it: for GPU nodes, tolerating CriticalAddonsOnly alone."""
    return {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "nodeSelector": {GPU_LABEL: "true"},
                    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                    "containers": [{"name": "main", "image": image}],
                    **spec,
                },
            },
        },
    }


@pytest.fixture
def amd_nodes(installed_plane: Plane) -> Iterator[Plane]:
    """The plane with two GPU nodes."""
    add_nodes(installed_plane, (NODE, OTHER), NodeShape(labels={GPU_LABEL: "true"}))
    yield installed_plane
    remove_nodes(installed_plane, (NODE, OTHER))


def pods_of(plane: Plane, namespace: str, app: str, node: str = NODE) -> list[Object]:
    """Pods of one of the DaemonSets on a node, those that are ending included."""
    listed = plane.admin.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return [
        pod for pod in listed if pod["metadata"]["name"].startswith(f"{app}-") and pod["spec"].get("nodeName") == node
    ]


def ready(pods: list[Object]) -> bool:
    """Whether there is one and it is Ready."""
    conditions = [one for pod in pods for one in pod.get("status", {}).get("conditions", ())]
    return len(pods) == 1 and any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@asynccontextmanager
async def node_plugins(plane: Plane) -> AsyncIterator[NodePlugins]:
    """NodePlugins with the operator's own rights, and its view of the nodes."""
    token = service_account_token(plane, SYSTEM_NAMESPACE, "aim-gpu-operator")
    configuration = ClientConfiguration(plane.server, ca=str(plane.ca), token=token)
    clock = RealClock()
    async with Client(configuration) as client, asyncio.TaskGroup() as tasks:
        cluster = Cluster(client, clock, system_namespace=SYSTEM_NAMESPACE)
        running = tasks.create_task(cluster.nodes.run())
        await cluster.nodes.wait_synced(60.0)
        yield NodePlugins(client, cluster, clock)
        running.cancel()


async def until_none(ask: Callable[[], Any], limit: float = 60.0) -> list[str]:
    """Ask again, as a plan does, until nothing is waited for; gives the sentences on the way."""
    told: list[str] = []
    async with asyncio.timeout(limit):
        while (sentence := await ask()) is not None:
            told.append(sentence)
            await asyncio.sleep(0.2)
    return told
