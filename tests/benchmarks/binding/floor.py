"""What the machine can do with our work left out: the same pods, gated by a name that nobody's webhook knows, and a
program that takes the gate off as soon as it sees one. What is left is the API server, etcd, scheduler and KWOK.

Twice: pods without a device, and pods whose ResourceClaim the program makes first, pinned to a device as ours are:
whoever gives out devices by dynamic resource allocation makes that claim, and the scheduler writes to it.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controller.binding.dra import DRIVER, Pin, PinnedDevice, resource_claim
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from e2e.plane import Plane
from e2e.run.install import add_gpu_nodes
from tests.benchmarks.binding.creators import create_pods
from tests.benchmarks.binding.processors import Spent, between, processes, spent
from tests.benchmarks.binding.settings import Settings
from tests.integration.operator.running import pod

GATE: Final = "bench.example.com/held"
_NAMESPACE: Final = "floor"
_ACCOUNT: Final = f"/api/v1/namespaces/{_NAMESPACE}/serviceaccounts/default"
_WORKERS: Final = 16
_DEVICES: Final = 64
_PROFILE: Final = "cpx_nps4"
_OPEN: Final = [
    {"op": "test", "path": "/spec/schedulingGates/0/name", "value": GATE},
    {"op": "remove", "path": "/spec/schedulingGates"},
]


@dataclass(slots=True)
class _Ungater:
    """Opens every gate; `opened` are those that a watch has shown to be open. `claims`: with a ResourceClaim each."""

    client: Client
    wanted: int
    claims: bool
    opened: set[str] = field(default_factory=set)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    queue: asyncio.Queue[Mapping[str, str]] = field(default_factory=asyncio.Queue)

    def take(self, event: StoreEvent[Any]) -> None:
        metadata = event.object["metadata"]
        if event.type is EventType.ADDED:
            self.queue.put_nowait(metadata)
        if not event.object["spec"].get("schedulingGates"):
            self.opened.add(metadata["name"])
            if len(self.opened) >= self.wanted:
                self.done.set()

    async def work(self) -> None:
        while True:
            metadata = await self.queue.get()
            if self.claims:
                await self.client.create(RESOURCE_CLAIMS, _claim(metadata))
            await self.client.json_patch(PODS, metadata["name"], _OPEN, _NAMESPACE)


def _node(number: int) -> str:
    return f"floor-{number}"


def _claim(metadata: Mapping[str, str]) -> dict[str, Any]:
    number, device = divmod(int(metadata["name"].rpartition("-")[2]), _DEVICES)
    pin = Pin(_node(number), _node(number), (PinnedDevice(f"gpu-{device}", device),), _PROFILE)
    return resource_claim(metadata["name"], _NAMESPACE, metadata["name"], metadata["uid"], pin, {})


def _pods(settings: Settings, *, claims: bool) -> Iterator[Mapping[str, Any]]:
    for number in range(settings.pods):
        name, spec = f"floor-{number}", {}
        if claims:
            spec = {
                "resourceClaims": [{"name": "gpu", "resourceClaimName": name}],
                "nodeSelector": {"kubernetes.io/hostname": _node(number // _DEVICES)},
            }
        made = pod(name, {}, schedulingGates=[{"name": GATE}], **spec)
        if claims:
            made["spec"]["containers"][0]["resources"]["claims"] = [{"name": "gpu"}]
        yield made


def _slice(node: str) -> dict[str, Any]:
    devices = [
        {
            "name": f"gpu-{index}",
            "attributes": {"renderIndex": {"int": index}, "partitionProfile": {"string": _PROFILE}},
        }
        for index in range(_DEVICES)
    ]
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    return {
        "metadata": {"name": f"{node}-bench"},
        "spec": {"driver": DRIVER, "nodeName": node, "pool": pool, "devices": devices},
    }


async def floor(plane: Plane, settings: Settings, *, claims: bool) -> Spent:
    """Seconds from the first creation to the last gate, and who computed meanwhile. Nothing of ours runs."""
    nodes = [_node(number) for number in range(settings.nodes)]
    await asyncio.to_thread(plane.admin.create, "/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
    await asyncio.to_thread(add_gpu_nodes, plane, nodes)
    there = lambda: plane.admin.find(_ACCOUNT) is not None  # noqa: E731
    await asyncio.to_thread(plane.wait_until, there, f"{_ACCOUNT} is there")
    configuration = ClientConfiguration.from_kubeconfig(plane.kubeconfig)
    async with Client(configuration, user_agent="bench-floor") as client, asyncio.timeout(settings.limit):
        for node in nodes if claims else ():
            await client.create(RESOURCE_SLICES, _slice(node))
        return await _opened(plane, client, settings, claims=claims)


async def _opened(plane: Plane, client: Client, settings: Settings, *, claims: bool) -> Spent:
    ungater = _Ungater(client, settings.pods, claims)
    pods: Informer[Any] = Informer(client, PODS, namespace=_NAMESPACE)
    pods.add_handler(ungater.take)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(pods.run(), name="ungater's pods")]
        running += [tasks.create_task(ungater.work(), name=f"ungater {number}") for number in range(_WORKERS)]
        await pods.wait_synced(settings.limit)
        pids = processes(plane)
        before, started = spent(pids), time.monotonic()
        await create_pods(client, _NAMESPACE, _pods(settings, claims=claims), settings.clients)
        await ungater.done.wait()
        seconds, after = time.monotonic() - started, spent(pids)
        for task in running:
            task.cancel()
    return between(before, after, seconds)
