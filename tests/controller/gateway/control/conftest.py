"""The gateway's watch of a cluster in memory, in virtual time."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.gateway.configuration import GatewayConfiguration
from controller.gateway.control.callers import Callers
from controller.gateway.control.key_secrets import KeySecrets
from controller.gateway.control.watching import Watching
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import ENDPOINT_SLICES, NAMESPACES, PODS, SECRETS
from controller.runtime.client.resource import Resource
from controller.runtime.pod_addresses import AddressFile
from controller.state.kinds import GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, INFERENCE_SERVICES
from tests.fakes.clock import LoopClock
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport

KINDS = (
    PODS,
    SECRETS,
    NAMESPACES,
    ENDPOINT_SLICES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
)
Object = dict[str, Any]


class SlowClock(LoopClock):
    """The loop's time, and what passed without the loop: while something was worked out."""

    passed = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


class Cluster:
    """A store, the watch of it, and every configuration that came of it; `refuse` has those refused, which else takes
    `takes` seconds."""

    def __init__(self, addresses: AddressFile | None, namespaces: Iterable[str]) -> None:
        self.clock = SlowClock()
        self.store = FakeStore(self.clock, KINDS)
        self.client = Client(ClientConfiguration("http://store"), transport=StoreTransport(self.store, "gateway"))
        self.callers = Callers(None)
        self.given: list[GatewayConfiguration] = []
        self.refuse = False
        self.takes = 0.0
        self.keys = KeySecrets(self.client, list(namespaces), clock=self.clock)
        self.watching = Watching(
            self.client,
            self.clock,
            base=GatewayConfiguration(open=True),
            callers=self.callers,
            keys=self.keys,
            apply=self._apply,
            addresses=addresses,
        )

    def _apply(self, configuration: GatewayConfiguration) -> None:
        if self.refuse:
            raise ValueError("not today")
        self.clock.passed += self.takes
        self.given.append(configuration)

    @property
    def latest(self) -> GatewayConfiguration:
        return self.given[-1]

    def engines(self, key: str = "team-a/chat") -> list[str]:
        """The engines of a service now, by uid."""
        route = next(one for one in self.latest.services if one.key == key)
        return [endpoint.uid for endpoint in route.endpoints if endpoint.ready]

    def put(self, resource: Resource, obj: Object) -> Object:
        """Create it, and its status too; or merge it into what is there."""
        metadata = obj["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "")
        if self.store.find(resource, name, namespace) is None:
            self.store.create(resource, obj)
        else:
            self.store.write(resource, name, namespace, {key: part for key, part in obj.items() if key != "status"})
        if "status" in obj:
            self.store.write(resource, name, namespace, {"status": obj["status"]}, subresource="status")
        return self.store.get(resource, name, namespace)

    def put_pod(self, name: str, service: str = "chat", namespace: str = "team-a", *, partition: int = 0) -> Object:
        """A pod of the service with its claim; listed by nobody yet. Returns the slice's entry for it."""
        ip = f"10.0.{partition}.{len(self.store.list(PODS)) + 1}"
        labels = {"aim.amd.com/inference-service": service}
        told = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-8B"}
        pod = self.put(
            PODS,
            {
                "metadata": {"name": name, "namespace": namespace, "labels": labels, "annotations": told},
                "spec": {"nodeName": "worker-0", "containers": [{"name": "main", "image": "aim-qwen:1"}]},
                "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
            },
        )
        reference = {"name": name, "uid": pod["metadata"]["uid"]}
        device = {"bdf": "0000:05:00.0", "partition": partition}
        self.put(
            GPU_PARTITION_CLAIMS,
            {
                "metadata": {"name": f"aim-{name}", "namespace": namespace},
                "spec": {"podRef": reference},
                "status": {"phase": "Allocated", "allocation": {"node": "worker-0", "devices": [device]}},
            },
        )
        return {
            "addresses": [ip],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "namespace": namespace, **reference},
        }

    def put_slice(self, *entries: Object, service: str = "chat", namespace: str = "team-a") -> None:
        """The slice of the service's Service."""
        labels = {"kubernetes.io/service-name": service}
        self.put(
            ENDPOINT_SLICES,
            {
                "metadata": {"name": f"{service}-x", "namespace": namespace, "labels": labels},
                "addressType": "IPv4",
                "endpoints": list(entries),
                "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
            },
        )

    def put_service(self, name: str = "chat", namespace: str = "team-a", **qos: Any) -> None:
        """An InferenceService."""
        spec = {"model": {"id": "Qwen/Qwen3-8B"}, "qos": qos}
        self.put(INFERENCE_SERVICES, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})

    async def settled(self) -> None:
        """Let what has happened be worked in."""
        await asyncio.sleep(2)


@asynccontextmanager
async def a_cluster(
    *, addresses: Path | None = None, namespaces: Iterable[str] = ("team-a",)
) -> AsyncIterator[Cluster]:
    cluster = Cluster(AddressFile(addresses) if addresses else None, namespaces)
    async with cluster.client, asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(informer.run()) for informer in cluster.watching.informers]
        running.append(tasks.create_task(cluster.keys.run()))
        for informer in cluster.watching.informers:
            await informer.wait_synced(5)
        running.append(tasks.create_task(cluster.watching.run()))
        await cluster.watching.wait_started(10)
        yield cluster
        for task in running:
            task.cancel()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with a_cluster() as made:
        yield made


def secret(namespace: str = "team-a", **keys: str) -> Object:
    """The Secret of these keys' digests."""
    data = {
        name: base64.b64encode(hashlib.sha256(key.encode()).hexdigest().encode()).decode() for name, key in keys.items()
    }
    return {"metadata": {"name": "aim-gpu-gateway-keys", "namespace": namespace}, "data": data}
