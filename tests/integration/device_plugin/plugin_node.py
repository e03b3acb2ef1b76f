"""A node's device plugin and kubelet, played by the test: KWOK advertises no devices and gives none to anybody.

Scheduling is real: kube-scheduler counts what is advertised here. What a pod was given is read by the real agent over
gRPC, as from a real kubelet.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from controller.binding.device_plugin import Naming, advertised
from controller.gpu.mode import Mode
from tests.fakes.kubelet import FakeKubelet, plugged
from tests.fakes.kubelet import pod as told_pod
from tests.integration.operator.running import AIM, Object, Running

LOOK_SECONDS = 0.2
PLATFORM_DEVICES_PER_GPU = 7


class PluginNode:
    """Keeps the Node's allocatable as the GPUs are (once `advertise` is asked for), and gives devices to pods.

    The last free device is given first, unlike what placement would choose. `given`: device by pod; `forced`
    those that are given whoever has them.
    """

    def __init__(self, cluster: Running, node: str, naming: Naming, kubelet: FakeKubelet) -> None:
        self._cluster = cluster
        self.node = node
        self._naming = naming
        self._kubelet = kubelet
        self.forced: dict[str, str] = {}
        self.given: dict[str, str] = {}

    async def advertise(self) -> dict[str, int]:
        """The plugin starts, or starts again: what it finds becomes the node's allocatable. Gives the counts."""
        gpus = await self._gpus()
        modes = [Mode.parse(gpu["mode"]) for gpu in gpus for _ in gpu["partitions"]]
        counts = advertised(modes, self._naming)
        path = f"/api/v1/nodes/{self.node}"
        allocatable = (await self._cluster.get(path))["status"]["allocatable"]
        # kubelets keep the names of before, with nothing left
        wanted = {name: "0" for name in allocatable if name.startswith("amd.com/")}
        wanted |= {name: str(number) for name, number in counts.items()}
        await self._cluster.patch(f"{path}/status", {"status": {"allocatable": wanted, "capacity": wanted}})
        return counts

    async def devices(self) -> dict[str, str]:
        """The plugin's names of the partitions: mode by device, GPU by GPU."""
        found = {}
        for number, gpu in enumerate(await self._gpus()):
            for partition in gpu["partitions"]:
                index = partition["id"]
                name = f"amdgpu_xcp_{PLATFORM_DEVICES_PER_GPU * number + index - 1}" if index else gpu["bdf"]
                found[name] = gpu["mode"]
        return found

    async def _gpus(self) -> list[Object]:
        found = await self._cluster.get(f"{AIM}/gpunodes/{self.node}")
        return sorted(found["status"]["gpus"], key=lambda gpu: str(gpu["bdf"]))

    async def force(self, name: str, device: str) -> None:
        """Give a device to a pod, whoever has it, and have the agent ask at once: it does when its GPUNode changes."""
        self.forced[name] = device
        await self._give()
        path = f"{AIM}/gpunodes/{self.node}"
        await self._cluster.patch(path, {"metadata": {"annotations": {"test": f"{name} {device}"}}})

    async def serve(self) -> None:
        """Play the kubelet until cancelled."""
        while True:
            await self._give()
            await asyncio.sleep(LOOK_SECONDS)

    async def _give(self) -> None:
        devices, pods = await self.devices(), await self._cluster.pods()
        asking = {one["metadata"]["name"]: one for one in pods if self._runs_here(one) and list(_asked(one))}
        self.given = {name: device for name, device in self.given.items() if name in asking}
        for name, one in asking.items():
            (_, resource), *_ = _asked(one)
            fitting = [device for device, mode in devices.items() if resource in _names(mode)]
            free = [device for device in fitting if device not in self.given.values()]
            if name in self.forced:
                self.given[name] = self.forced[name]
            elif name not in self.given and free:
                self.given[name] = free[-1]
        self._kubelet.pods = [
            told_pod(
                name,
                *(plugged(container, resource, self.given[name]) for container, resource in _asked(one)),
                namespace=self._cluster.namespace,
            )
            for name, one in asking.items()
            if name in self.given
        ]

    def _runs_here(self, one: Object) -> bool:
        ended = one.get("status", {}).get("phase") in ("Succeeded", "Failed")
        return one["spec"].get("nodeName") == self.node and not ended


def _asked(one: Object) -> Iterator[tuple[str, str]]:
    """(container, resource) of what a pod asks of the plugin."""
    for container in one["spec"]["containers"]:
        for name in (container.get("resources") or {}).get("limits") or {}:
            if name.startswith("amd.com/"):
                yield container["name"], name


def _names(mode: str) -> set[str]:
    return {"amd.com/gpu", f"amd.com/{Mode.parse(mode).profile}"}


@asynccontextmanager
async def plugin_node(cluster: Running, short: str, naming: Naming, sockets: Path) -> AsyncIterator[PluginNode]:
    """The plugin and kubelet of one of the cluster's nodes, advertising; `sockets` is where its agent asks."""
    node = cluster.names[short]
    async with FakeKubelet(sockets / f"{node}.sock") as kubelet, asyncio.TaskGroup() as tasks:
        made = PluginNode(cluster, node, naming, kubelet)
        await made.advertise()
        serving = tasks.create_task(made.serve())
        yield made
        serving.cancel()


_numbers = count()


def policy(**spec: Any) -> Object:
    """A policy for the device plugin on every node."""
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": f"plugin-{next(_numbers)}"},
        "spec": {"binding": "DevicePlugin", "validatedOnly": False, **spec},
    }
