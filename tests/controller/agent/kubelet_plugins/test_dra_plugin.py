"""The DRA driver as a kubelet meets it: real gRPC over the sockets in its folder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from controller.agent.kubelet_plugins.dra_plugin import DraPlugin
from controller.agent.kubelet_plugins.kubelet_folder import driver_socket, registration_socket
from controller.agent.kubelet_plugins.socket_server import identity, listened_on
from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.clock import Clock, RealClock
from tests.controller.agent.kubelet_plugins.node import Host, allocated
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import FakeClock
from tests.fakes.plugin_kubelet import claim, registered, until

pytestmark = pytest.mark.usefixtures("_quick")

DEVICES = [f"gpu-{number}-{128 + number}" for number in range(64)]


class World:
    """A node with 64 partitions, whose plugin runs while `running` is entered."""

    def __init__(self, api: FakeApiServer, client: Client, host: Host, root: Path) -> None:
        self.api, self.client, self.host, self.root = api, client, host, root
        self.cdi = root / "cdi"

    @asynccontextmanager
    async def running(self, clock: Clock | None = None) -> AsyncIterator[DraPlugin]:
        path = registration_socket(self.root)
        before = identity(path)
        async with asyncio.TaskGroup() as tasks:
            plugin = DraPlugin(self.host, self.client, self.root, self.cdi, clock or RealClock())
            task = tasks.create_task(plugin.run())
            try:
                await until(lambda: identity(path) not in (None, before) and listened_on(path))
                yield plugin
            finally:
                task.cancel()

    def put(self, name: str, *devices: str) -> None:
        self.api.put(RESOURCE_CLAIMS, allocated(name, *devices))


@pytest.fixture
async def world(api: FakeApiServer, client: Client, root: Path) -> World:
    return World(api, client, await Host.of("CPX/NPS4", gpus=8), root)


async def test_a_kubelet_finds_it_and_slices_are_looked_at_from_then_on(world: World) -> None:
    async with world.running() as plugin:
        assert (plugin.registered, world.host.offers) == (False, 0)
        assert "no kubelet has registered" in str(plugin.problem())
        async with registered(world.root) as driver:
            assert (driver.info.type, driver.info.name) == ("DRAPlugin", "gpu.amd.com")
            assert list(driver.info.supported_versions) == ["v1.DRAPlugin"]
            assert driver.info.endpoint == str(driver_socket(world.root))
            assert (plugin.registered, plugin.problem()) == (True, None)
            # it deletes the slices when it comes to it
            await until(lambda: world.host.offers > 5)


async def test_looks_end_until_the_next_kubelet_registers_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.agent.kubelet_plugins.dra_plugin.LOOK_SECONDS", 1.0)
    clock = FakeClock()
    async with world.running(clock) as plugin, registered(world.root):
        assert world.host.offers == 1
        await clock.advance(60)
        looks = world.host.offers
        assert looks > 5
        await clock.advance(60)
        assert world.host.offers == looks
        async with registered(world.root):
            assert world.host.offers == looks + 1
            assert plugin.registered


async def test_a_kubelet_that_refuses_it_is_told_of(world: World) -> None:
    async with world.running() as plugin:
        async with registered(world.root, refusal="endpoint already registered"):
            assert "endpoint already registered" in str(plugin.problem())
        assert (plugin.registered, world.host.offers) == (False, 0)
        async with registered(world.root):
            assert plugin.problem() is None


async def test_devices_of_two_claims_asked_for_at_once(world: World) -> None:
    world.put("a", DEVICES[0], DEVICES[9])
    world.put("b", DEVICES[1])
    async with world.running() as plugin, registered(world.root) as driver:
        found = await driver.prepare(claim("a"), claim("b"))
        assert {uid: answer.error for uid, answer in found.items()} == {"uid-a": "", "uid-b": ""}
        second = found["uid-a"].devices[1]
        assert (list(second.request_names), second.pool_name, second.device_name) == (["r1"], "node-0", DEVICES[9])
        assert list(second.cdi_device_ids) == [f"k8s.gpu.amd.com/gpu=uid-a-{DEVICES[9]}"]
        assert not second.HasField("share_id")
        assert plugin.prepared() == {DEVICES[0], DEVICES[9], DEVICES[1]}


async def test_what_is_wrong_with_one_claim_is_not_the_others(world: World) -> None:
    world.put("good", DEVICES[0])
    world.put("other", "gpu-0-999")
    world.api.put(RESOURCE_CLAIMS, allocated("old", DEVICES[1], uid="uid-newer"))
    clock = FakeClock()
    async with world.running(clock) as plugin, registered(world.root) as driver, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(driver.prepare(claim("good"), claim("other"), claim("old")))
        while not asking.done():
            await asyncio.sleep(0.001)
            await clock.advance(1.0)
        found = asking.result()
        assert found["uid-good"].error == ""
        assert "device gpu-0-999: this node has not got it" in found["uid-other"].error
        assert "uid-newer" in found["uid-old"].error
        assert [len(found[f"uid-{name}"].devices) for name in ("good", "other", "old")] == [1, 0, 0]
        assert plugin.prepared() == {DEVICES[0]}


async def test_a_node_full_of_claims_is_prepared_and_taken_back(world: World) -> None:
    asked = [claim(f"c{number}") for number in range(64)]
    for one, device in zip(asked, DEVICES, strict=True):
        world.put(one.name, device)
    async with world.running() as plugin, registered(world.root) as driver:
        found = await driver.prepare(*asked)
        assert [found[one.uid].devices[0].device_name for one in asked] == DEVICES
        assert plugin.prepared() == set(DEVICES)
        assert await driver.unprepare(*asked) == {one.uid: "" for one in asked}
        assert (plugin.prepared(), list(world.cdi.iterdir())) == (frozenset(), [])


async def test_unknown_claims_are_taken_back_without_an_error(world: World) -> None:
    async with world.running(), registered(world.root) as driver:
        found = await driver.unprepare(claim("unknown"), claim("bad", uid="../../etc"))
        assert found["uid-unknown"] == ""
        assert "metadata.uid" in found["../../etc"]


async def test_a_kubelet_that_gives_up_ends_the_wait_and_asks_again(world: World) -> None:
    async with world.running() as plugin, registered(world.root) as driver:
        asking = asyncio.create_task(driver.prepare(claim("late")))
        await until(lambda: world.api.seen)
        asking.cancel()
        world.put("late", DEVICES[0])
        await asyncio.wait([asking])
        # what was given up may have been prepared just before: asked again it is the same
        assert (await driver.prepare(claim("late")))["uid-late"].devices[0].device_name == DEVICES[0]
        assert plugin.prepared() == {DEVICES[0]}


async def test_after_a_kill_the_next_one_replaces_the_sockets_and_knows_what_was_prepared(world: World) -> None:
    world.put("c", DEVICES[0])
    async with world.running(), registered(world.root) as driver:
        await driver.prepare(claim("c"))
    for path in (driver_socket(world.root), registration_socket(world.root)):
        path.touch()  # what is left when nobody can clear up
    (world.cdi / "k8s.gpu.amd.com-gpu_uid-dabc.tmp").write_text('{"cdiVer')
    registration_socket(world.root).unlink()
    async with world.running() as plugin, registered(world.root) as driver:
        assert plugin.prepared() == {DEVICES[0]}
        assert [path.name for path in world.cdi.iterdir()] == ["k8s.gpu.amd.com-gpu_uid-c.json"]
        assert await driver.unprepare(claim("c")) == {"uid-c": ""}
        assert plugin.prepared() == frozenset()


async def test_its_sockets_go_with_it(world: World) -> None:
    async with world.running():
        assert driver_socket(world.root).is_socket()
    assert not driver_socket(world.root).exists()
    assert not registration_socket(world.root).exists()


async def test_of_two_versions_the_older_stands_back_and_takes_over_when_the_newer_ends(world: World) -> None:
    world.put("c", DEVICES[0])
    async with world.running() as older, registered(world.root):
        before = identity(registration_socket(world.root))
        async with world.running() as newer:
            await until(lambda: "another agent" in str(older.problem()))
            assert identity(registration_socket(world.root)) != before
            async with registered(world.root) as driver:
                await driver.prepare(claim("c"))
            assert (older.registered, newer.registered) == (False, True)
        await until(registration_socket(world.root).is_socket)
        async with registered(world.root):
            await until(lambda: older.problem() is None)
            assert older.prepared() == {DEVICES[0]}
        last = identity(registration_socket(world.root))
    assert last not in (None, before)


async def test_an_older_version_that_ends_leaves_the_newer_ones_sockets_alone(world: World) -> None:
    async with AsyncExitStack() as older:
        await older.enter_async_context(world.running())
        async with world.running():
            kept = identity(registration_socket(world.root))
            await older.aclose()
            assert identity(registration_socket(world.root)) == kept


async def test_sockets_that_somebody_cleared_away_are_made_again(world: World) -> None:
    async with world.running() as plugin:
        async with registered(world.root):
            assert plugin.problem() is None
        registration_socket(world.root).unlink()
        await until(registration_socket(world.root).is_socket)
        assert (plugin.registered, "no kubelet has registered" in str(plugin.problem())) == (False, True)
        async with registered(world.root) as driver:
            world.put("c", DEVICES[0])
            assert (await driver.prepare(claim("c")))["uid-c"].error == ""


async def test_a_folder_that_cannot_be_used_is_a_problem_with_a_remedy_until_it_can(world: World) -> None:
    world.root.joinpath("plugins").write_text("a file where a folder should be")
    clock = FakeClock()
    async with asyncio.TaskGroup() as tasks:
        plugin = DraPlugin(world.host, world.client, world.root, world.cdi, clock)
        task = tasks.create_task(plugin.run())
        await until(lambda: "writable for the agent" in str(plugin.problem()))
        world.root.joinpath("plugins").unlink()
        await clock.advance(5)
        await until(registration_socket(world.root).is_socket)
        async with registered(world.root):
            assert plugin.problem() is None
        task.cancel()


async def test_a_method_that_drivers_need_not_have_is_told_so(world: World) -> None:
    async with world.running(), grpc.aio.insecure_channel(f"unix:{driver_socket(world.root)}") as channel:
        method: Any = channel.unary_unary("/v1alpha1.DRAResourceHealth/NodeWatchResources")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await method(b"", timeout=30.0)
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
