from dataclasses import replace
from typing import Any

from api.quantity import parse_quantity
from controller.agent.driver_attributes import DeviceFacts, device
from controller.binding.dra import selector
from tests.controller.agent.hardware import RecordedBackend

SHARED = {
    "type",
    "cardIndex",
    "renderIndex",
    "family",
    "productName",
    "driverVersion",
    "driverSrcVersion",
    "partitionProfile",
}


async def first_device(mode: str, partition: int = 0) -> dict[str, Any]:
    node = await RecordedBackend(mode).read()
    return device(DeviceFacts(node, node.gpus[0], node.gpus[0].partitions[partition]))


async def test_a_whole_gpu_has_exactly_the_drivers_attributes() -> None:
    whole = await first_device("SPX/NPS1")
    assert whole["name"] == "gpu-0-128"
    assert set(whole["attributes"]) == SHARED | {"pciAddr", "deviceID"}
    assert whole["attributes"]["type"] == {"string": "amdgpu"}
    assert whole["attributes"]["pciAddr"] == {"string": "0000:05:00.0"}
    assert whole["attributes"]["driverVersion"] == {"version": "6.12.12"}


async def test_a_partition_has_its_parents_address_instead_of_its_own() -> None:
    part = await first_device("CPX/NPS4", partition=5)
    assert part["name"] == "gpu-5-133"
    assert set(part["attributes"]) == SHARED | {"parentPciAddr", "parentDeviceID"}
    assert part["attributes"]["type"] == {"string": "amdgpu-partition"}
    assert part["attributes"]["partitionProfile"] == {"string": "cpx_nps4"}


async def test_a_mode_that_cannot_be_read_is_not_published() -> None:
    node = await RecordedBackend("SPX/NPS1").read()
    unread = replace(node.gpus[0], mode=None)
    attributes = device(DeviceFacts(node, unread, unread.partitions[0]))["attributes"]
    assert set(attributes) == (SHARED | {"pciAddr", "deviceID"}) - {"partitionProfile"}


async def test_capacity() -> None:
    capacity = (await first_device("CPX/NPS4"))["capacity"]
    assert {name: parse_quantity(str(entry["value"])) for name, entry in capacity.items()} == {
        "memory": 24574 * 2**20,
        "computeUnits": 38,
        "simdUnits": 152,
    }


async def test_pins_ask_for_attributes_that_are_published() -> None:
    published = (await first_device("CPX/NPS4"))["attributes"]
    asked = {part.split('"')[1] for part in selector([128], "cpx_nps4").split(" && ") if '" in device' in part}
    assert asked
    assert asked <= set(published)
