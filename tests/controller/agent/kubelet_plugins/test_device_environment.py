from controller.agent.kubelet_plugins.device_environment import (
    device_nodes,
    environment,
    node_devices,
    shared_environment,
)
from tests.controller.agent.hardware import RecordedBackend


async def test_a_container_is_told_which_partition_it_has_in_the_words_of_its_pod() -> None:
    third = node_devices(await RecordedBackend("CPX/NPS4").read())[11]
    assert third.name == "gpu-11-139"
    assert environment([third]) == {
        "AMD_VISIBLE_DEVICES": "11",
        "ROCR_VISIBLE_DEVICES": "0",
        "AIM_GPU_DEVICES": "0000:27:00.0/3 CPX/NPS4",
        "AIM_GPU_DEVICE_139": "0000:27:00.0/3 CPX/NPS4",
    }


async def test_devices_are_counted_over_the_node_and_inside_the_container() -> None:
    """A whole GPU has one place only, however many render minors its driver keeps for it."""
    first, second = node_devices(await RecordedBackend("SPX/NPS1").read())
    found = shared_environment([first, second])
    assert (found["AMD_VISIBLE_DEVICES"], found["ROCR_VISIBLE_DEVICES"]) == ("0,1", "0,1")
    assert found["AIM_GPU_DEVICES"] == "0000:05:00.0/0 SPX/NPS1,0000:27:00.0/0 SPX/NPS1"


async def test_device_nodes_are_those_that_exist_each_once() -> None:
    devices = node_devices(await RecordedBackend("CPX/NPS4").read())[:2]
    assert device_nodes(devices, lambda _: False) == ()
    there = {"/dev/kfd", "/dev/dri/renderD128", "/dev/dri/renderD129", "/dev/dri/card1"}
    found = device_nodes(devices, there.__contains__)
    assert found == ("/dev/kfd", "/dev/dri/renderD128", "/dev/dri/card1", "/dev/dri/renderD129")
