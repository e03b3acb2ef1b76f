"""Claims from an API server, prepared into files; time passes only when nothing else can happen."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from controller.agent.kubelet_plugins.cdi_folder import CdiFolder
from controller.agent.kubelet_plugins.claim_devices import GivenDevice, NotYet, PrepareRefused
from controller.agent.kubelet_plugins.claim_preparation import AskedClaim, ClaimPreparation
from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.clock import Clock
from tests.controller.agent.hardware import A
from tests.controller.agent.kubelet_plugins.node import Host, allocated
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import FakeClock, SkippingClock

DEVICE = "gpu-0-128"


class World:
    """One node's claims, their files, and the API server that has them."""

    def __init__(self, api: FakeApiServer, client: Client, host: Host, cdi: Path) -> None:
        self.api, self.client, self.host, self.cdi = api, client, host, cdi
        self.clock = SkippingClock()
        self.claims = self.made()

    def made(self, clock: Clock | None = None) -> ClaimPreparation:
        """A plugin that starts now."""
        folder = CdiFolder(self.cdi, "node-0")
        made = ClaimPreparation("node-0", self.client, self.host.view, folder, clock or self.clock)
        made.load()
        return made

    def put(self, name: str, *devices: str, **more: Any) -> AskedClaim:
        self.api.put(RESOURCE_CLAIMS, allocated(name, *devices, **more))
        return AskedClaim("team", name, f"uid-{name}")

    async def prepare(self, asked: AskedClaim) -> list[str]:
        return names(await self.claims.prepare(asked))

    @property
    def files(self) -> list[str]:
        found = self.cdi.iterdir() if self.cdi.exists() else ()
        return sorted(path.name.removeprefix("k8s.gpu.amd.com-gpu_") for path in found)


def names(given: tuple[GivenDevice, ...]) -> list[str]:
    return [one.device.name for one in given]


@pytest.fixture
async def world(api: FakeApiServer, client: Client, tmp_path: Path) -> World:
    return World(api, client, await Host.of("CPX/NPS4"), tmp_path / "cdi")


async def test_a_claim_is_prepared_once_and_asked_for_again_answers_the_same(world: World) -> None:
    asked = world.put("c", DEVICE, "gpu-1-129")
    assert await world.prepare(asked) == [DEVICE, "gpu-1-129"]
    (path,) = world.cdi.iterdir()
    before = path.stat().st_mtime_ns
    assert await world.prepare(asked) == [DEVICE, "gpu-1-129"]
    assert path.stat().st_mtime_ns == before
    assert world.claims.devices() == {DEVICE, "gpu-1-129"}
    assert world.clock.slept == []


async def test_what_was_prepared_survives_the_plugin(world: World) -> None:
    asked = world.put("c", DEVICE)
    await world.prepare(asked)
    world.claims = world.made()
    assert world.claims.devices() == {DEVICE}
    assert await world.prepare(asked) == [DEVICE]
    await world.claims.unprepare(asked.uid)
    assert (world.files, world.claims.devices()) == ([], frozenset())


async def test_a_file_that_somebody_deleted_is_written_again(world: World) -> None:
    asked = world.put("c", DEVICE)
    await world.prepare(asked)
    (path,) = world.cdi.iterdir()
    path.unlink()
    await world.prepare(asked)
    assert world.files == ["uid-c.json"]


async def test_taking_back_what_was_never_given_is_no_error(world: World) -> None:
    await world.claims.unprepare("uid-unknown")
    with pytest.raises(PrepareRefused, match="uid"):
        await world.claims.unprepare("../etc/passwd")


async def test_another_claim_of_that_name_is_refused_at_once(world: World) -> None:
    world.put("c", DEVICE, uid="uid-newer")
    with pytest.raises(PrepareRefused, match=r"made anew \(uid uid-newer, asked for uid-c\): delete the pod"):
        await world.prepare(AskedClaim("team", "c", "uid-c"))
    assert (world.clock.slept, world.files) == ([], [])


async def test_a_uid_that_is_none_is_refused_before_anything_is_read(world: World) -> None:
    world.put("c", DEVICE, uid="../x")
    with pytest.raises(PrepareRefused, match=r"ResourceClaim team/c: uid '../x'"):
        await world.prepare(AskedClaim("team", "c", "../x"))
    assert world.api.seen == []


async def test_a_claim_that_comes_a_little_late_is_waited_for(world: World) -> None:
    clock = FakeClock()
    world.claims = world.made(clock)
    async with asyncio.TaskGroup() as tasks:
        preparing = tasks.create_task(world.prepare(AskedClaim("team", "c", "uid-c")))
        for devices in ((), (DEVICE,)):  # there, and then allocated
            await waits(clock)
            assert not preparing.done()
            world.put("c", *devices)
            clock.tick(0.25)
    assert preparing.result() == [DEVICE]


async def test_a_gpu_that_is_being_changed_is_waited_for(world: World) -> None:
    clock = FakeClock()
    world.claims = world.made(clock)
    world.host.withdraw(A)
    asked = world.put("c", DEVICE)
    async with asyncio.TaskGroup() as tasks:
        preparing = tasks.create_task(world.prepare(asked))
        await waits(clock)
        assert world.claims.devices() == frozenset()
        world.host.withdraw()
        clock.tick(0.25)
    assert preparing.result() == [DEVICE]


@pytest.mark.parametrize(
    ("device", "want"),
    [
        pytest.param("gpu-0-999", "device gpu-0-999: this node has not got it", id="a device that is not there"),
        pytest.param("gpu-64-192", "placed anew", id="a device of a mode that is gone"),
    ],
)
async def test_a_wrong_device_is_told_with_the_remedy_after_a_while_that_kubelets_bear(
    world: World, device: str, want: str
) -> None:
    asked = world.put("c", DEVICE, device)
    with pytest.raises(NotYet, match=want):
        await world.prepare(asked)
    assert 10.0 <= sum(world.clock.slept) < 11.0
    assert world.files == []


async def test_an_api_server_that_comes_back_is_asked_again(world: World) -> None:
    asked = world.put("c", DEVICE)
    world.api.play(*[faults.refusal(500, "InternalError", "etcd is away")] * 3, on="GET")
    assert await world.prepare(asked) == [DEVICE]
    world.api.play(*[faults.refusal(500, "InternalError", "etcd is away")] * 99, on="GET")
    with pytest.raises(NotYet, match="etcd is away"):
        await world.prepare(asked)


async def test_a_right_that_the_agent_has_not_got_is_named(world: World) -> None:
    asked = world.put("c", DEVICE)
    world.api.play(faults.refusal(403, "Forbidden", "no"), on="GET")
    with pytest.raises(PrepareRefused, match="ServiceAccount get resourceclaims"):
        await world.prepare(asked)
    assert world.clock.slept == []


async def test_a_folder_that_cannot_be_written_is_named(world: World) -> None:
    asked = world.put("c", DEVICE)
    world.cdi.write_text("a file where a folder should be")
    with pytest.raises(PrepareRefused, match="make its folder writable"):
        await world.prepare(asked)
    assert world.claims.devices() == frozenset()


async def test_a_device_goes_to_the_next_claim_only_once_the_last_one_is_taken_back(world: World) -> None:
    """A pod that was deleted by force: its claim is gone from the API, and its containers still run."""
    old, new = world.put("old", DEVICE), world.put("new", DEVICE)
    await world.prepare(old)
    world.api.remove(RESOURCE_CLAIMS, "team/old")
    with pytest.raises(NotYet, match=f"device {DEVICE}: is still prepared .* uid uid-old"):
        await world.prepare(new)
    await world.claims.unprepare(old.uid)
    assert await world.prepare(new) == [DEVICE]


async def test_who_only_looks_on_is_prepared_beside_the_holder(world: World) -> None:
    await world.prepare(world.put("c", DEVICE))
    assert await world.prepare(world.put("look", DEVICE, adminAccess=True)) == [DEVICE]
    assert await world.prepare(world.put("c", DEVICE)) == [DEVICE]
    assert world.files == ["uid-c.json", "uid-look.json"]


async def test_a_claim_that_was_allocated_anew_gets_what_it_has_now(world: World) -> None:
    await world.prepare(world.put("c", DEVICE))
    assert await world.prepare(world.put("c", "gpu-1-129")) == ["gpu-1-129"]
    assert world.claims.devices() == {"gpu-1-129"}


async def test_two_that_ask_for_one_claim_at_once_get_the_same(world: World) -> None:
    asked = world.put("c", DEVICE)
    async with asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(world.prepare(asked)) for _ in range(2)]
    assert [one.result() for one in both] == [[DEVICE], [DEVICE]]


async def test_a_claim_is_not_taken_back_before_it_was_prepared(world: World) -> None:
    clock = FakeClock()
    world.claims = world.made(clock)
    asked = AskedClaim("team", "c", "uid-c")
    async with asyncio.TaskGroup() as tasks:
        preparing = tasks.create_task(world.prepare(asked))
        await waits(clock)
        taking_back = tasks.create_task(world.claims.unprepare(asked.uid))
        world.put("c", DEVICE)
        clock.tick(0.25)
    assert preparing.result() == [DEVICE]
    assert taking_back.done()
    assert (world.files, world.claims.devices()) == ([], frozenset())


async def test_who_stops_asking_leaves_nothing_behind(world: World) -> None:
    clock = FakeClock()
    world.claims = world.made(clock)
    async with asyncio.TaskGroup() as tasks:
        preparing = tasks.create_task(world.prepare(AskedClaim("team", "c", "uid-c")))
        await waits(clock)
        preparing.cancel()
    assert (world.files, world.claims.devices()) == ([], frozenset())
    world.claims = world.made()
    assert await world.prepare(world.put("c", DEVICE)) == [DEVICE]


async def waits(clock: FakeClock) -> None:
    """Until somebody sleeps: answers come over real sockets."""
    async with asyncio.timeout(30):
        while not clock.sleepers:  # noqa: ASYNC110 - the other end is a server
            await asyncio.sleep(0.001)
