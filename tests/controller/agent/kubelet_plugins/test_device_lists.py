from dataclasses import replace

from controller.agent.backend import DriverGone, EccCount
from controller.agent.device_ids import DeviceIds
from controller.agent.kubelet_plugins.device_lists import DeviceLists, device_lists
from controller.agent.kubelet_plugins.plugin import NodeView
from controller.agent.platform_devices import numbered_minors
from controller.binding.device_plugin import Naming
from controller.gpu.identity import PartitionId
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.controller.agent.kubelet_plugins.node import Host


def healthy(lists: DeviceLists) -> dict[str, int]:
    return {name: sum(device.healthy for device in found.values()) for name, found in lists.items()}


async def test_single_naming_has_one_resource() -> None:
    host = await Host.of("CPX/NPS4", gpus=8)
    lists = device_lists(host.view(), Naming.SINGLE)
    assert healthy(lists) == {"amd.com/gpu": 64}
    assert list(lists["amd.com/gpu"])[:3] == [A, "amdgpu_xcp_0", "amdgpu_xcp_1"]


async def test_single_naming_refuses_a_node_of_several_modes_and_mixed_names_both() -> None:
    host = await Host.of("SPX/NPS1")
    await host.change("QPX/NPS1")
    assert device_lists(host.view(), Naming.SINGLE) == {}
    assert healthy(device_lists(host.view(), Naming.MIXED)) == {"amd.com/qpx_nps1": 4, "amd.com/spx_nps1": 1}


async def test_our_agent_knows_the_devices_by_the_names_they_are_given() -> None:
    hardware = await RecordedBackend("CPX/NPS4", gpus=8).read()
    ids = DeviceIds(hardware, numbered_minors(hardware))
    listed = device_lists(NodeView(hardware), Naming.MIXED)["amd.com/cpx_nps4"]
    for name, found in listed.items():
        assert ids.partition(name) == PartitionId(found.device.gpu.bdf, found.device.partition.id)


async def test_devices_of_a_gpu_that_is_about_to_change_are_given_to_nobody() -> None:
    host = await Host.of("CPX/NPS4")
    host.withdraw(A)
    lists = device_lists(host.view(), Naming.SINGLE)
    assert healthy(lists) == {"amd.com/gpu": 8}
    assert {found.device.gpu.bdf for found in lists["amd.com/gpu"].values() if found.healthy} == {B}


async def test_broken_and_unreadable_gpus_are_unhealthy_and_one_of_unknown_mode_is_left_out() -> None:
    hardware = await RecordedBackend("CPX/NPS4").read()
    first, second = hardware.gpus
    broken = replace(hardware, gpus=(replace(first, ecc=EccCount(0, 1, 0)), second))
    assert healthy(device_lists(NodeView(broken), Naming.SINGLE)) == {"amd.com/gpu": 8}
    assert healthy(device_lists(NodeView(hardware, DriverGone("gone")), Naming.SINGLE)) == {"amd.com/gpu": 0}
    unknown = replace(hardware, gpus=(replace(first, mode=None), second))
    assert len(device_lists(NodeView(unknown), Naming.SINGLE)["amd.com/gpu"]) == 8


def test_before_the_first_reading_there_is_nothing() -> None:
    assert device_lists(NodeView(), Naming.MIXED) == {}
