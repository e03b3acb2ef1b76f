from collections.abc import AsyncIterator

import pytest

from controller.agent.resource_slices import SlicePublisher, devices, pool
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import RESOURCE_SLICES
from controller.runtime.client.errors import Conflict
from controller.runtime.manifest import Manifest
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

OWNER = {"apiVersion": "v1", "kind": "Node", "name": "node-0", "uid": "u-1"}


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        server.serve(RESOURCE_SLICES)
        yield server


@pytest.fixture
async def client(api: FakeApiServer) -> AsyncIterator[Client]:
    async with Client(ClientConfiguration(server=api.url)) as opened:
        yield opened


def named(count: int) -> list[Manifest]:
    return [{"name": f"gpu-{number}-{number}"} for number in range(count)]


def stored(api: FakeApiServer) -> dict[str, tuple[int, int, int]]:
    """Generation, slice count and devices by slice."""
    return {
        name: (
            obj["spec"]["pool"]["generation"],
            obj["spec"]["pool"]["resourceSliceCount"],
            len(obj["spec"]["devices"]),
        )
        for name, obj in api.objects(RESOURCE_SLICES).items()
    }


@pytest.mark.parametrize(
    ("count", "want"),
    [
        pytest.param(0, [0], id="an empty pool is said to be empty"),
        pytest.param(128, [128], id="one full slice"),
        pytest.param(129, [128, 1], id="one more than a slice takes"),
    ],
)
def test_pool_in_slices(count: int, want: list[int]) -> None:
    specs = pool("node-0", named(count), 7)
    assert list(specs) == [f"node-0-gpu.amd.com-{number}" for number in range(len(want))]
    assert [len(spec["devices"]) for spec in specs.values()] == want
    assert {spec["pool"]["resourceSliceCount"] for spec in specs.values()} == {len(want)}
    assert {spec["pool"]["generation"] for spec in specs.values()} == {7}


async def test_devices_of_withdrawn_gpus_are_left_out() -> None:
    node = await RecordedBackend("DPX/NPS1").read()
    assert [device["name"] for device in devices(node, frozenset({A}))] == ["gpu-8-136", "gpu-9-137"]
    assert devices(node, frozenset({A, B})) == []


async def test_every_change_raises_the_generation_of_all_slices(api: FakeApiServer, client: Client) -> None:
    publisher = SlicePublisher(client, "node-0")
    assert await publisher.publish(named(130), OWNER)
    assert stored(api) == {"node-0-gpu.amd.com-0": (1, 2, 128), "node-0-gpu.amd.com-1": (1, 2, 2)}
    assert await publisher.publish(named(129), OWNER)
    assert stored(api) == {"node-0-gpu.amd.com-0": (2, 2, 128), "node-0-gpu.amd.com-1": (2, 2, 1)}


async def test_what_is_there_already_is_not_written(api: FakeApiServer, client: Client) -> None:
    await SlicePublisher(client, "node-0").publish(named(3), OWNER)
    assert not await SlicePublisher(client, "node-0").publish(named(3), OWNER)
    assert stored(api) == {"node-0-gpu.amd.com-0": (1, 1, 3)}


async def test_slices_too_many_are_deleted(api: FakeApiServer, client: Client) -> None:
    publisher = SlicePublisher(client, "node-0")
    await publisher.publish(named(130), OWNER)
    await publisher.publish([], OWNER)
    assert stored(api) == {"node-0-gpu.amd.com-0": (2, 1, 0)}


async def test_without_additions_devices_may_go_and_none_may_come(api: FakeApiServer, client: Client) -> None:
    publisher = SlicePublisher(client, "node-0")
    assert await publisher.publish(named(3), OWNER, additions=False)
    assert stored(api) == {"node-0-gpu.amd.com-0": (1, 1, 0)}
    await publisher.publish(named(2), OWNER)
    assert not await publisher.publish(named(3), OWNER, additions=False)
    assert await publisher.publish(named(3)[1:], OWNER, additions=False)
    (only,) = api.objects(RESOURCE_SLICES).values()
    assert [device["name"] for device in only["spec"]["devices"]] == ["gpu-1-1"]


async def test_a_node_made_anew_owns_its_slices(api: FakeApiServer, client: Client) -> None:
    await SlicePublisher(client, "node-0").publish(named(1), OWNER)
    assert await SlicePublisher(client, "node-0").publish(named(1), {**OWNER, "uid": "u-2"})
    (only,) = api.objects(RESOURCE_SLICES).values()
    assert [owner["uid"] for owner in only["metadata"]["ownerReferences"]] == ["u-2"]


async def test_half_a_change_is_completed(api: FakeApiServer, client: Client) -> None:
    publisher = SlicePublisher(client, "node-0")
    await publisher.publish(named(130), OWNER)
    api.play(faults.refusal(409, "Conflict"), on="PUT")
    with pytest.raises(Conflict):
        await publisher.publish(named(129), OWNER)
    await publisher.publish(named(129), OWNER)
    assert stored(api) == {"node-0-gpu.amd.com-0": (2, 2, 128), "node-0-gpu.amd.com-1": (2, 2, 1)}
