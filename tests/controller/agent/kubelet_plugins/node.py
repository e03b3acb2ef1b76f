"""A node for its plugin, and claims on it."""

from typing import Any

from controller.agent.kubelet_plugins.plugin import NodeView
from controller.gpu.mode import ComputeMode, Mode
from controller.runtime.manifest import Manifest
from tests.controller.agent.hardware import A, RecordedBackend


class Host:
    """The agent of a simulated node as its plugin sees it. `offers`: how often it was asked to look at its slices."""

    node = "node-0"

    def __init__(self, backend: RecordedBackend, view: NodeView) -> None:
        self.backend = backend
        self.seen = view
        self.offers = 0

    @classmethod
    async def of(cls, mode: str, gpus: int = 2) -> "Host":
        """A node whose GPUs are all in one mode, and were read."""
        backend = RecordedBackend(mode, gpus=gpus)
        return cls(backend, NodeView(await backend.read()))

    def view(self) -> NodeView:
        return self.seen

    def offer(self) -> None:
        self.offers += 1

    async def change(self, mode: str, bdf: str = A) -> None:
        """One GPU's compute mode, read again afterwards."""
        await self.backend.node.set_compute_mode(bdf, ComputeMode(Mode.parse(mode).compute))
        self.seen = NodeView(await self.backend.read())

    def withdraw(self, *gpus: str) -> None:
        """The devices of these GPUs are about to go."""
        self.seen = NodeView(self.seen.hardware, changing=frozenset(gpus))


def allocated(name: str, *devices: str, uid: str = "", pool: str = "node-0", **more: Any) -> Manifest:
    """A ResourceClaim in namespace `team` whose requests r0, r1, ... were given these devices."""
    results = [
        {"request": f"r{number}", "driver": "gpu.amd.com", "pool": pool, "device": device, **more}
        for number, device in enumerate(devices)
    ]
    status = {"allocation": {"devices": {"results": results}}} if devices else {}
    metadata = {"name": name, "namespace": "team", "uid": uid or f"uid-{name}"}
    return {"metadata": metadata, "spec": {}, "status": status}
