"""Engines of a cluster in memory, read in virtual time, and told as the exporter tells them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.exporter.engines.reading import Reading, ReadingSettings
from controller.exporter.engines.service_metrics import EDGES, ServiceMetrics
from controller.exporter.engines.totals import Totals
from controller.exporter.engines.watching import GatewayService, Watching
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import ENDPOINT_SLICES, PODS
from controller.runtime.metrics_page import UNREACHABLE, PageError
from controller.runtime.pod_addresses import Address, AddressFile
from controller.telemetry.metrics import Metrics
from tests.fakes.clock import LoopClock
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport

INTERVAL = 10.0
KEEP = 60.0
GATEWAY = GatewayService("gateways", "gateway")
Object = dict[str, Any]
Sample = tuple[str, dict[str, str], float]


class Cluster:
    """Pods, slices, and the page that each address shows: a text, or an error that reading it raises.

    `asked` counts readings by address; `slow` is how long an answer takes, seconds.
    """

    def __init__(self, gateway: GatewayService | None, addresses: Path | None, **settings: Any) -> None:
        self.clock = LoopClock()
        self.store = FakeStore(self.clock, (PODS, ENDPOINT_SLICES))
        self.client = Client(ClientConfiguration("http://store"), transport=StoreTransport(self.store, "exporter"))
        self.pages: dict[str, str | Exception] = {}
        self.asked: dict[str, int] = {}
        self.under_way = self.most_at_once = 0
        self.slow: dict[str, float] = {}
        self.metrics = Metrics("exporter", clock=self.clock)
        self.watching = Watching(
            self.client, self.clock, gateway=gateway, addresses=AddressFile(addresses) if addresses else None
        )
        self.totals = Totals(EDGES, KEEP)
        self.reading = Reading(
            self._page,
            self.watching,
            self.totals,
            EDGES,
            self.clock,
            settings=ReadingSettings(**{"interval_seconds": INTERVAL, **settings}),
            rng=Random(1),
        )
        ServiceMetrics(self.metrics, self.totals, self.watching, self.reading, self.clock)

    async def _page(self, address: Address) -> str:
        where = f"{address.host}:{address.port}"
        self.asked[where] = self.asked.get(where, 0) + 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self.clock.sleep(self.slow.get(where, 0.0))
        finally:
            self.under_way -= 1
        page = self.pages.get(where, PageError(UNREACHABLE, f"{where}: nobody listens"))
        if isinstance(page, Exception):
            raise page
        return page

    def put_pod(
        self,
        name: str,
        ip: str,
        *,
        namespace: str = "team-a",
        model: str = "a/b",
        labels: dict[str, str] | None = None,
        ready: bool = True,
    ) -> Object:
        """A pod that takes part, as the webhook and the kubelet leave it."""
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": {"aim.amd.com/engine": "true"} | (labels or {}),
            "annotations": {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": model},
        }
        ports = [{"name": "http", "containerPort": 8000}]
        made = self._put(PODS, {"metadata": metadata, "spec": {"containers": [{"name": "main", "ports": ports}]}})
        self.set_ready(name, ready=ready, ip=ip, namespace=namespace)
        return made

    def set_ready(self, name: str, *, ready: bool, ip: str | None = None, namespace: str = "team-a") -> None:
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        status: Object = {"phase": "Running", "conditions": conditions} | ({"podIP": ip} if ip else {})
        self.store.write(PODS, name, namespace, {"status": status}, subresource="status")

    def end_pod(self, name: str, namespace: str = "team-a") -> None:
        self.store.delete(PODS, name, namespace)

    def put_slice(self, service: str, pods: Iterable[str], namespace: str = "team-a", **entry: Any) -> None:
        """The slice of a Kubernetes Service that lists these pods."""
        self._put(
            ENDPOINT_SLICES,
            {
                "metadata": {
                    "name": f"{service}-x",
                    "namespace": namespace,
                    "labels": {"kubernetes.io/service-name": service},
                },
                "addressType": "IPv4",
                "endpoints": [
                    {
                        "addresses": ["10.0.0.9"],
                        "conditions": {"ready": True},
                        "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod},
                        **entry,
                    }
                    for pod in pods
                ],
                "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
            },
        )

    def _put(self, resource: Any, obj: Object) -> Object:
        metadata = obj["metadata"]
        if self.store.find(resource, metadata["name"], metadata["namespace"]) is None:
            return self.store.create(resource, obj)
        return self.store.write(resource, metadata["name"], metadata["namespace"], obj)

    async def told(self, family: str) -> list[Sample]:
        """A family's samples as Prometheus reads them, now."""
        page = (await self.metrics.exposition()).decode()
        found = {one.name: one for one in text_string_to_metric_families(page)}
        assert family in found, sorted(found)
        return [(one.name, dict(one.labels), one.value) for one in found[family].samples]

    async def requests(self, service: str | None = None) -> dict[str, float]:
        """Requests that were served, by service."""
        return {
            labels["service"]: value
            for _, labels, value in await self.told("aim_model_requests")
            if labels["code"] == "200" and service in (None, labels["service"])
        }


def write_addresses(path: Path, addresses: dict[str, str]) -> None:
    path.write_text(json.dumps(addresses))


@asynccontextmanager
async def reading(cluster: Cluster) -> AsyncIterator[None]:
    """The exporter at work."""
    async with cluster.client, asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(informer.run()) for informer in cluster.watching.informers]
        for informer in cluster.watching.informers:
            await informer.wait_synced(5)
        running.append(tasks.create_task(cluster.reading.run()))
        yield
        for task in running:
            task.cancel()


@pytest.fixture
async def cluster() -> Cluster:
    """With a gateway to look for; made within the loop, whose time it has."""
    return Cluster(GATEWAY, None)
