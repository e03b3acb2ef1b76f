"""An agent that serves its node's kubelet as well: what it publishes depends on whether a kubelet knows of it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from controller.agent.kubelet_plugins.device_plugin import DevicePlugin
from controller.agent.kubelet_plugins.dra_plugin import DraPlugin
from controller.agent.kubelet_plugins.kubelet_folder import registration_socket
from controller.agent.kubelet_plugins.plugin import PluginFactory
from controller.agent.node_agent import NodeAgent
from controller.binding.device_plugin import Naming
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES, RESOURCE_CLAIMS, RESOURCE_SLICES
from controller.runtime.clock import RealClock
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.controller.agent.hardware import A, RecordedBackend
from tests.controller.agent.kubelet_plugins.node import allocated
from tests.fakes.api_server import FakeApiServer
from tests.fakes.plugin_kubelet import DeviceManager, claim, registered, until

DEVICES = {"gpu-0-128", "gpu-8-136"}


class World:
    """The API server and the kubelet's folder, between which an agent runs while `agent` is entered."""

    def __init__(self, api: FakeApiServer, root: Path) -> None:
        self.api, self.root = api, root
        self.hardware = RecordedBackend("SPX/NPS1")

    @property
    def devices(self) -> set[str]:
        return {one["name"] for obj in self.api.objects(RESOURCE_SLICES).values() for one in obj["spec"]["devices"]}

    @property
    def phase(self) -> str | None:
        status = self.api.objects(GPU_NODES)["node-0"].get("status", {})
        return (status.get("operation") or {}).get("phase")

    def put_node(self, **spec: object) -> None:
        held = self.api.objects(GPU_NODES).get("node-0", {})
        self.api.put(GPU_NODES, {**held, "metadata": {"name": "node-0", "generation": 1}, "spec": spec})

    def wipe(self) -> None:
        """What a kubelet does to its node's slices when it starts."""
        for name in list(self.api.objects(RESOURCE_SLICES)):
            self.api.remove(RESOURCE_SLICES, name)

    def dra(self) -> PluginFactory:
        return lambda host, client: DraPlugin(host, client, self.root, self.root / "cdi", RealClock())

    @asynccontextmanager
    async def agent(self, make_plugin: PluginFactory) -> AsyncIterator[NodeAgent]:
        def make(*, held: Callable[[], frozenset[str]], used: object) -> RecordedBackend:
            self.hardware.holders = held
            return self.hardware

        async with Client(ClientConfiguration(server=self.api.url)) as client, asyncio.TaskGroup() as tasks:
            agent = NodeAgent("node-0", client, make, clock=RealClock(), rng=Random(1), make_plugin=make_plugin)
            task = tasks.create_task(agent.run())
            yield agent
            task.cancel()


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("controller.agent.node_agent._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("controller.agent.operation.SETTLE_SECONDS", 0.2)
    monkeypatch.setattr("controller.agent.kubelet_plugins.dra_plugin.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("controller.agent.kubelet_plugins.device_plugin.LOOK_SECONDS", 0.02)
    with tempfile.TemporaryDirectory(prefix="kubelet-") as folder:
        async with FakeApiServer() as api:
            for resource in (GPU_NODES, GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS, RESOURCE_SLICES, LEASES):
                api.serve(resource)
            made = World(api, Path(folder))
            made.put_node()
            yield made


async def test_nothing_is_offered_until_a_kubelet_knows_of_it_and_again_when_it_comes_back(world: World) -> None:
    async with world.agent(world.dra()) as agent:
        await until(lambda: "no kubelet has registered DRA driver gpu.amd.com" in str(agent.problem()))
        assert world.devices == set()
        for _ in range(2):
            async with registered(world.root):
                await until(lambda: world.devices == DEVICES)
                await until(lambda: agent.problem() is None)
                world.wipe()
                await until(lambda: world.devices == DEVICES)


async def test_an_agent_that_comes_back_leaves_what_is_offered(world: World) -> None:
    async with world.agent(world.dra()), registered(world.root):
        await until(lambda: world.devices == DEVICES)
    versions = {name: obj["metadata"]["resourceVersion"] for name, obj in world.api.objects(RESOURCE_SLICES).items()}
    async with world.agent(world.dra()) as agent:
        await until(registration_socket(world.root).is_socket)
        await until(lambda: "no kubelet" in str(agent.problem()))
        found = {name: obj["metadata"]["resourceVersion"] for name, obj in world.api.objects(RESOURCE_SLICES).items()}
        assert found == versions


async def test_a_gpu_that_a_container_still_has_is_not_changed_though_its_claim_is_gone(world: World) -> None:
    """A pod that was deleted by force: the kubelet has not taken its device back."""
    world.api.put(RESOURCE_CLAIMS, allocated("c", "gpu-0-128"))
    layout: Manifest = {"gpus": [{"bdf": A, "mode": "DPX/NPS1"}]}
    async with world.agent(world.dra()) as agent, registered(world.root) as driver:
        await until(lambda: world.devices == DEVICES)
        assert (await driver.prepare(claim("c")))["uid-c"].error == ""
        world.api.remove(RESOURCE_CLAIMS, "team/c")
        assert agent.held() == {A}
        world.put_node(operation={"id": "op-1", "from": layout, "to": layout})
        await until(lambda: world.phase == "Failed")
        await driver.unprepare(claim("c"))
        assert agent.held() == frozenset()
        world.put_node(operation={"id": "op-2", "from": layout, "to": layout})
        await until(lambda: world.phase == "Succeeded")
    assert world.hardware.calls == [f"compute {A} DPX"]


async def test_with_a_device_plugin_there_are_no_slices(world: World) -> None:
    def make(host: object, client: Client) -> DevicePlugin:
        return DevicePlugin(host, world.root, Naming.MIXED, RealClock())  # type: ignore[arg-type]

    async with DeviceManager(world.root) as kubelet, world.agent(make) as agent:
        await until(lambda: kubelet.allocatable() == {"amd.com/spx_nps1": 2})
        await until(lambda: agent.problem() is None)
        layout: Manifest = {"gpus": [{"bdf": A, "mode": "DPX/NPS1"}]}
        world.put_node(operation={"id": "op-1", "from": layout, "to": layout})
        await until(lambda: kubelet.allocatable() == {"amd.com/spx_nps1": 1, "amd.com/dpx_nps1": 2})
        await until(lambda: world.phase == "Succeeded")
    assert world.api.objects(RESOURCE_SLICES) == {}
