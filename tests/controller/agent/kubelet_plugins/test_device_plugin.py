"""The device plugin as a kubelet's device manager meets it: real gRPC over the sockets in its folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from controller.agent.kubelet_plugins.device_plugin import DevicePlugin
from controller.agent.kubelet_plugins.kubelet_folder import resource_socket
from controller.agent.kubelet_plugins.plugin import NodeView
from controller.binding.device_plugin import Naming
from controller.runtime.clock import Clock, RealClock
from tests.controller.agent.hardware import A, B
from tests.controller.agent.kubelet_plugins.node import Host
from tests.fakes.clock import FakeClock
from tests.fakes.plugin_kubelet import DeviceManager, until

pytestmark = pytest.mark.usefixtures("_quick")

GPU = "amd.com/gpu"
CPX, SPX, QPX = "amd.com/cpx_nps4", "amd.com/spx_nps1", "amd.com/qpx_nps1"


@asynccontextmanager
async def running(
    host: Host, root: Path, naming: Naming = Naming.SINGLE, clock: Clock | None = None
) -> AsyncIterator[DevicePlugin]:
    async with asyncio.TaskGroup() as tasks:
        plugin = DevicePlugin(host, root, naming, clock or RealClock())
        task = tasks.create_task(plugin.run())
        try:
            yield plugin
        finally:
            task.cancel()


async def test_every_partition_is_advertised(root: Path) -> None:
    host = await Host.of("CPX/NPS4", gpus=8)
    async with DeviceManager(root) as kubelet, running(host, root) as plugin:
        await until(lambda: kubelet.allocatable() == {GPU: 64})
        (request,) = kubelet.requests
        assert (request.version, request.endpoint, request.resource_name) == ("v1beta1", "amd.com_gpu.sock", GPU)
        assert request.options.get_preferred_allocation_available
        assert not request.options.pre_start_required
        assert await kubelet.options(GPU) == request.options
        assert (plugin.registered, plugin.problem()) == (True, None)
        assert (plugin.publishes, plugin.prepared()) == (False, frozenset())


async def test_a_container_is_told_of_its_devices(root: Path) -> None:
    host = await Host.of("CPX/NPS4")
    async with DeviceManager(root) as kubelet, running(host, root, Naming.MIXED):
        await until(lambda: kubelet.allocatable() == {CPX: 16})
        (given,) = (await kubelet.allocate(CPX, "amdgpu_xcp_8", A)).container_responses
        assert given.envs["AIM_GPU_DEVICES"] == f"{A}/0 CPX/NPS4,{B}/2 CPX/NPS4"
        assert (given.envs["AMD_VISIBLE_DEVICES"], given.envs["ROCR_VISIBLE_DEVICES"]) == ("0,10", "0,1")
        assert given.envs["AIM_GPU_DEVICE_138"] == f"{B}/2 CPX/NPS4"


async def test_devices_of_one_gpu_are_preferred(root: Path) -> None:
    host = await Host.of("CPX/NPS4")
    async with DeviceManager(root) as kubelet, running(host, root):
        await until(lambda: kubelet.allocatable() == {GPU: 16})
        assert await kubelet.prefer(GPU, [A, "amdgpu_xcp_0", "amdgpu_xcp_8"], [], 2) == [A, "amdgpu_xcp_0"]
        assert await kubelet.prefer(GPU, [A, "amdgpu_xcp_8"], ["amdgpu_xcp_8"], 1) == ["amdgpu_xcp_8"]


async def test_a_changed_mode_changes_what_is_allocatable(root: Path) -> None:
    host = await Host.of("SPX/NPS1")
    async with DeviceManager(root) as kubelet, running(host, root, Naming.MIXED):
        await until(lambda: kubelet.allocatable() == {SPX: 2})
        host.withdraw(A)
        await until(lambda: kubelet.allocatable() == {SPX: 1})
        assert kubelet.devices[SPX] == {A: "Unhealthy", B: "Healthy"}
        await host.change("QPX/NPS1", A)
        await until(lambda: kubelet.allocatable() == {SPX: 1, QPX: 4})
        await host.change("QPX/NPS1", B)
        await until(lambda: kubelet.allocatable() == {SPX: 0, QPX: 8})
        assert kubelet.devices[SPX] == {}


async def test_single_naming_says_why_a_node_of_several_modes_advertises_nothing(root: Path) -> None:
    host = await Host.of("SPX/NPS1")
    async with DeviceManager(root) as kubelet, running(host, root) as plugin:
        await until(lambda: kubelet.allocatable() == {GPU: 2})
        await host.change("QPX/NPS1")
        await until(lambda: kubelet.allocatable() == {GPU: 0})
        assert "several modes" in str(plugin.problem())


async def test_devices_that_cannot_be_given_are_refused_with_the_remedy(root: Path) -> None:
    host = await Host.of("CPX/NPS4")
    async with DeviceManager(root) as kubelet, running(host, root):
        await until(lambda: kubelet.allocatable() == {GPU: 16})
        host.withdraw(A)
        await until(lambda: kubelet.allocatable() == {GPU: 8})
        for device, code in ((A, grpc.StatusCode.FAILED_PRECONDITION), ("amdgpu_xcp_99", grpc.StatusCode.NOT_FOUND)):
            with pytest.raises(grpc.aio.AioRpcError, match=f"device {device}: .* create the pod again") as raised:
                await kubelet.allocate(GPU, B, device)
            assert raised.value.code() is code


async def test_a_restarted_kubelet_hears_of_every_resource_again(root: Path) -> None:
    host = await Host.of("SPX/NPS1")
    await host.change("QPX/NPS1")
    async with running(host, root, Naming.MIXED) as plugin:
        for _ in range(2):
            async with DeviceManager(root) as kubelet:
                await until(lambda: kubelet.allocatable() == {SPX: 1, QPX: 4})
                assert plugin.problem() is None
            await until(lambda: "no kubelet at" in str(plugin.problem()))
            assert not plugin.registered


async def test_another_kubelet_is_known_by_its_socket(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that leaves the plugins' sockets, and comes while nobody looks."""
    monkeypatch.setattr("controller.agent.kubelet_plugins.device_plugin.WATCHED_SECONDS", 1e9)
    host, clock = await Host.of("CPX/NPS4"), FakeClock()
    async with DeviceManager(root, clears=False) as kubelet, running(host, root, clock=clock) as plugin:
        await until(lambda: kubelet.allocatable() == {GPU: 16} and plugin.registered and clock.sleepers)
        async with DeviceManager(root, clears=False) as newer:
            clock.tick(1)
            await until(lambda: newer.allocatable() == {GPU: 16})


async def test_a_kubelet_that_stops_watching_is_told_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.agent.kubelet_plugins.device_plugin.WATCHED_SECONDS", 0.2)
    host = await Host.of("CPX/NPS4")
    async with DeviceManager(root) as kubelet, running(host, root):
        await until(lambda: kubelet.allocatable() == {GPU: 16})
        kubelet.leave(GPU)
        await until(lambda: len(kubelet.requests) > 1 and kubelet.allocatable() == {GPU: 16})


async def test_a_kubelet_that_refuses_is_asked_again(root: Path) -> None:
    host = await Host.of("CPX/NPS4")
    async with DeviceManager(root) as kubelet:
        kubelet.refusal = grpc.StatusCode.UNAVAILABLE
        async with running(host, root) as plugin:
            await until(lambda: "UNAVAILABLE: not today" in str(plugin.problem()))
            kubelet.refusal = None
            await until(lambda: kubelet.allocatable() == {GPU: 16})
            await until(lambda: plugin.problem() is None)


async def test_before_the_first_reading_nothing_is_registered(root: Path) -> None:
    host = await Host.of("CPX/NPS4")
    read, host.seen = host.seen, NodeView()
    async with DeviceManager(root) as kubelet, running(host, root) as plugin:
        await until(lambda: plugin.problem())
        assert kubelet.requests == []
        host.seen = read
        await until(lambda: kubelet.allocatable() == {GPU: 16})


async def test_its_sockets_go_with_it_and_the_kubelet_sees_that(root: Path) -> None:
    host = await Host.of("CPX/NPS4")
    async with DeviceManager(root) as kubelet:
        async with running(host, root):
            await until(lambda: kubelet.allocatable() == {GPU: 16})
        await until(lambda: kubelet.allocatable() == {GPU: 0})
        assert not resource_socket(root, GPU).exists()


async def test_another_agents_socket_is_left_alone(root: Path) -> None:
    host = await Host.of("CPX/NPS4")
    async with DeviceManager(root) as kubelet, running(host, root) as older:
        await until(lambda: kubelet.allocatable() == {GPU: 16})
        async with running(host, root) as newer:
            await until(lambda: newer.registered)
            await until(lambda: "another agent serves it" in str(older.problem()))
        await until(lambda: older.problem() is None)
        await until(lambda: kubelet.allocatable() == {GPU: 16})
