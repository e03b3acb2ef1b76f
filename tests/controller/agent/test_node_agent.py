"""The whole agent of one node against an API server that can be away, refuse, or forget."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web

from api.v1beta1.gpu_node import AssignedDevice
from controller.agent.backend import DriverGone, GpuProcess, NodeHardware
from controller.agent.host_lock import HostLock
from controller.agent.node_agent import Ledger, NodeAgent
from controller.gpu.mode import ComputeMode
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES, RESOURCE_CLAIMS, RESOURCE_SLICES
from controller.runtime.clock import RealClock
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.controller.agent.claims import partition_claim, resource_claim
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

LEASE = "aim-gpu-system/node-0"
GIVEN = AssignedDevice(
    namespace="team", pod="llm-0", container="main", resource="amd.com/gpu", device=A, bdf=A, partition=0
)


class Kubelet:
    """Tells what a test lets it tell."""

    def __init__(self) -> None:
        self.told: tuple[AssignedDevice, ...] | None = ()
        self.asked = 0

    async def assigned(self, hardware: NodeHardware) -> tuple[AssignedDevice, ...] | None:
        self.asked += 1
        return self.told


@dataclass
class World:
    """The API server, the hardware, and how to run an agent between them."""

    api: FakeApiServer
    hardware: RecordedBackend = field(default_factory=lambda: RecordedBackend("SPX/NPS1"))
    kubelet: "Kubelet | None" = None
    lock: HostLock | None = None
    ledger: Ledger | None = None

    @property
    def status(self) -> Manifest:
        status: Manifest = self.api.objects(GPU_NODES).get("node-0", {}).get("status", {})
        return status

    @property
    def phase(self) -> str | None:
        return (self.status.get("operation") or {}).get("phase")

    @property
    def health(self) -> set[str]:
        return {partition["health"] for gpu in self.status.get("gpus", ()) for partition in gpu["partitions"]}

    @property
    def devices(self) -> list[str]:
        slices = self.api.objects(RESOURCE_SLICES).values()
        return [device["name"] for one in slices for device in one["spec"]["devices"]]

    def put_node(self, **spec: Any) -> None:
        """Make the GPUNode, or change its spec."""
        held = self.api.objects(GPU_NODES).get("node-0", {})
        metadata = {"name": "node-0", "generation": 1}
        self.api.put(GPU_NODES, {**held, "metadata": metadata, "spec": spec})

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[NodeAgent]:
        def make(*, held: Callable[[], frozenset[str]], used: object) -> RecordedBackend:
            self.hardware.holders = held
            return self.hardware

        async with Client(ClientConfiguration(server=self.api.url)) as client, asyncio.TaskGroup() as tasks:
            agent = NodeAgent(
                "node-0",
                client,
                make,
                clock=RealClock(),
                rng=Random(1),
                heartbeat_seconds=0.2,
                assignments=self.kubelet,
                lock=self.lock,
                ledger=self.ledger,
            )
            task = tasks.create_task(agent.run())
            yield agent
            task.cancel()


def operation(operation_id: str = "op-1", **modes: str) -> Manifest:
    layout = {"gpus": [{"bdf": {"A": A, "B": B}[letter], "mode": mode} for letter, mode in modes.items()]}
    return {"id": operation_id, "from": layout, "to": layout}


async def until(condition: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the other end is a server
            await asyncio.sleep(0.01)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeApiServer() as api:
        for resource in (GPU_NODES, GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS, RESOURCE_SLICES, LEASES):
            api.serve(resource)
        yield World(api)


async def test_it_publishes_only_once_its_gpu_node_is_there(world: World) -> None:
    async with world.agent() as agent:
        await until(lambda: "not there yet" in str(agent.problem()), "it has looked")
        await asyncio.sleep(0.3)
        assert "not there yet" in str(agent.problem())
        assert world.devices == []
        assert LEASE not in world.api.objects(LEASES)
        world.put_node()
        await until(lambda: LEASE in world.api.objects(LEASES), "a heartbeat")
        assert agent.problem() is None
        assert world.status["summary"]["partitions"] == 2
        assert world.devices == ["gpu-0-128", "gpu-8-136"]


async def test_an_unwritten_status_is_a_problem(world: World) -> None:
    world.put_node()
    async with world.agent() as agent:
        await until(lambda: agent.problem() is None, "reported")
        world.api.play(*[faults.refusal(403, "Forbidden", "policy says no")] * 50, on="PUT")
        world.api.put(RESOURCE_CLAIMS, resource_claim("c", "gpu-0-128"))
        await until(lambda: "policy says no" in str(agent.problem()), "the refusal shows")


async def test_gpus_that_cannot_be_read_are_told_of_while_the_heart_beats(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.agent.node_agent.REFRESH_SECONDS", 0.1)
    world.put_node()
    async with world.agent() as agent:
        await until(lambda: LEASE in world.api.objects(LEASES), "a heartbeat")
        world.hardware.fail = {"read": DriverGone("no driver; load it")}
        await until(lambda: world.health == {"Unhealthy"} and not world.devices, "told")
        assert agent.problem() == "no driver; load it"
        renewed = world.api.objects(LEASES)[LEASE]["spec"]["renewTime"]
        await until(lambda: world.api.objects(LEASES)[LEASE]["spec"]["renewTime"] != renewed, "the next heartbeat")
        world.hardware.fail = {}
        await until(lambda: world.health == {"Healthy"} and world.devices, "back")
        assert agent.problem() is None


async def test_an_agent_that_finds_no_driver_offers_nothing_and_checks_holders_once_it_is_back(world: World) -> None:
    """The agent before it was killed in a reload; a claim came to hold a device meanwhile."""
    world.put_node()
    async with world.agent():
        await until(lambda: world.devices, "offered")
    world.api.put(RESOURCE_CLAIMS, resource_claim("c", "gpu-0-128"))
    world.hardware.fail = {"read": DriverGone("no driver; load it")}
    async with world.agent():
        await until(lambda: world.health == {"Unhealthy"} and not world.devices, "told")
        world.put_node(operation=operation(A="DPX/NPS1"))
        await until(lambda: (world.status.get("operation") or {}).get("step") == "WaitForDriver", "begun")
        world.hardware.fail = {}
        await until(lambda: world.phase == "Failed", "refused")
        assert world.status["operation"]["message"].startswith(f"Busy: GPUs {A} are held")
    assert world.hardware.calls == []


async def test_holders_are_checked_by_what_the_operation_read_itself(world: World) -> None:
    """A driver that answers now and then: an agent that has read nothing yet knows of no holder."""

    class Wavering(RecordedBackend):
        answers = iter([False, True, False])

        async def read(self) -> NodeHardware:
            if not next(self.answers, True):
                raise DriverGone("no driver; load it")
            return await super().read()

    world.hardware = Wavering("SPX/NPS1")
    world.api.put(RESOURCE_CLAIMS, resource_claim("c", "gpu-0-128"))
    world.put_node(operation=operation(A="DPX/NPS1"))
    async with world.agent():
        await until(lambda: world.phase == "Failed", "refused")
        assert world.status["operation"]["message"].startswith(f"Busy: GPUs {A} are held")
    assert world.hardware.calls == []


async def test_processes_are_counted_anew_with_each_reading(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.agent.node_agent.REFRESH_SECONDS", 0.1)
    world.put_node()
    async with world.agent():
        await until(lambda: world.status, "reported")
        assert [gpu["processes"] for gpu in world.status["gpus"]] == [0, 0]
        world.hardware.foreign = {A: (GpuProcess(7, "exporter"),)}
        await until(lambda: world.status["gpus"][0]["processes"] == 1, "seen")


async def test_a_gpu_node_made_anew_is_filled_again(world: World) -> None:
    world.put_node()
    async with world.agent():
        await until(lambda: world.status, "reported")
        world.api.remove(GPU_NODES, "node-0")
        world.put_node()
        await until(lambda: world.status, "reported again")
        assert world.status["summary"]["gpus"] == 2


async def test_an_operation_moves_hardware_status_and_devices(world: World) -> None:
    world.put_node()
    async with world.agent():
        await until(lambda: world.status, "reported")
        world.put_node(operation=operation(A="DPX/NPS1"))
        await until(lambda: world.phase == "Succeeded", "done")
        assert world.status["gpus"][0]["mode"] == "DPX/NPS1"
        assert world.devices == ["gpu-0-128", "gpu-1-129", "gpu-8-136"]


async def test_writes_that_fail_during_an_operation_are_made_good(world: World) -> None:
    world.put_node()
    async with world.agent() as agent:
        await until(lambda: agent.problem() is None, "reported")
        world.api.play(faults.refusal(500, "InternalError"), faults.refusal(409, "Conflict"), on="PUT")
        world.put_node(operation=operation(A="DPX/NPS1"))
        await until(lambda: world.phase == "Succeeded", "done")
        assert len(world.devices) == 3


async def test_an_interrupted_operation_is_resumed_before_its_devices_are_offered(world: World) -> None:
    await world.hardware.node.set_compute_mode(A, ComputeMode.DPX)
    running = {"id": "op-1", "phase": "Running"}
    spec = {"operation": operation(A="DPX/NPS1", B="DPX/NPS1")}
    world.api.put(GPU_NODES, {"metadata": {"name": "node-0"}, "spec": spec, "status": {"operation": running}})
    async with world.agent():
        await until(lambda: world.phase == "Succeeded", "done")
    assert world.hardware.calls == [f"compute {B} DPX"]
    told = [list_of(change.object) for change in world.api.serve(RESOURCE_SLICES).history]
    done, rest = ["gpu-0-128", "gpu-1-129"], ["gpu-8-136", "gpu-9-137"]
    assert told == [[], done, done + rest]


async def test_a_held_gpu_fails_the_operation_and_keeps_its_devices(world: World) -> None:
    world.put_node()
    world.api.put(RESOURCE_CLAIMS, resource_claim("c", "gpu-0-128"))
    async with world.agent():
        await until(lambda: world.status, "reported")
        world.put_node(operation=operation(A="DPX/NPS1"))
        await until(lambda: world.phase == "Failed", "refused")
        assert world.status["operation"]["message"].startswith("Busy:")
        assert world.devices == ["gpu-0-128", "gpu-8-136"]
        assert world.hardware.calls == []


async def test_a_gpu_that_the_kubelet_gave_to_a_pod_is_not_changed(world: World) -> None:
    """A device plugin's allocation stands in no claim."""
    world.put_node()
    world.kubelet = Kubelet()
    async with world.agent():
        await until(lambda: world.status, "reported")
        world.kubelet.told = (GIVEN,)
        world.put_node(operation=operation(A="DPX/NPS1"))
        await until(lambda: world.phase == "Failed", "refused")
        assert world.status["operation"]["message"].startswith(f"Busy: GPUs {A} are held")
        world.kubelet.told = ()
        world.put_node(operation=operation("op-2", A="DPX/NPS1"))
        await until(lambda: world.phase == "Succeeded", "done")


async def test_a_kubelet_that_is_away_does_not_make_its_gpus_free(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.agent.observation.KEPT_SECONDS", 0.0)
    world.put_node()
    world.kubelet = Kubelet()
    world.kubelet.told = (GIVEN,)
    async with world.agent():
        await until(lambda: world.status.get("assigned"), "reported")
        world.kubelet.told = None
        world.put_node(operation=operation(A="DPX/NPS1"))
        await until(lambda: world.phase == "Failed", "refused")
        assert world.status["operation"]["message"].startswith(f"Busy: GPUs {A} are held")
        await until(lambda: "assigned" not in world.status, "not told any more")


async def test_readings_that_tell_nothing_new_write_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.agent.node_agent.REFRESH_SECONDS", 0.02)
    world.put_node()
    world.kubelet = Kubelet()
    world.kubelet.told = (GIVEN,)
    async with world.agent():
        await until(lambda: world.status.get("assigned"), "reported")
        written, asked = writes(world), world.kubelet.asked
        await until(lambda: world.kubelet is not None and world.kubelet.asked > asked + 3, "read again and again")
        assert writes(world) == written
        world.kubelet.told = ()
        await until(lambda: world.status["assigned"] == [], "what changed is written")


async def test_an_operation_waits_while_the_node_is_paused(world: World) -> None:
    world.put_node(paused=True, operation=operation(A="DPX/NPS1"))
    async with world.agent():
        await until(lambda: world.status, "reported")
        await asyncio.sleep(0.3)
        assert world.phase is None
        world.put_node(paused=False, operation=operation(A="DPX/NPS1"))
        await until(lambda: world.phase == "Succeeded", "done")


async def test_the_operation_of_a_gpu_node_that_is_made_anew_goes_no_further(world: World) -> None:
    class Slow(RecordedBackend):
        async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
            await super().set_compute_mode(bdf, mode)
            world.api.remove(GPU_NODES, "node-0")
            world.put_node()
            await until(lambda: world.status, "the new one is reported")

    world.hardware = Slow("SPX/NPS1")
    world.put_node()
    async with world.agent():
        await until(lambda: world.status, "reported")
        world.put_node(operation=operation(A="DPX/NPS1", B="DPX/NPS1"))
        await until(lambda: world.devices == ["gpu-0-128", "gpu-1-129", "gpu-8-136"], "what is there is offered")
        assert world.hardware.calls == [f"compute {A} DPX"]
        assert world.phase is None


async def test_an_operation_that_is_taken_back_before_its_first_record_is_not_begun(world: World) -> None:
    """Whoever took it back saw no record, and counts on the hardware as it is."""

    async def taken_back_meanwhile(request: web.Request) -> web.StreamResponse:
        answer = await world.api.perform(request)
        world.put_node()
        return answer

    world.put_node()
    async with world.agent():
        await until(lambda: world.status, "reported")
        world.api.play(taken_back_meanwhile, on="GET")
        world.put_node(operation=operation(A="DPX/NPS1"))
        await until(lambda: world.api.objects(GPU_NODES)["node-0"]["spec"] == {}, "taken back")
        world.put_node(operation=operation("op-2", B="DPX/NPS1"))
        await until(lambda: world.phase == "Succeeded", "the next one is carried out")
    assert (world.status["operation"]["id"], world.hardware.calls) == ("op-2", [f"compute {B} DPX"])


async def test_an_operation_that_another_agent_ends_is_left_alone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent before this one, being replaced, is still at it."""
    monkeypatch.setattr("controller.agent.host_lock._POLL_SECONDS", 0.01)
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    world.lock = HostLock(tmp_path, RealClock())
    spec = {"operation": operation(A="DPX/NPS1")}
    running = {"id": "op-1", "phase": "Running"}
    world.api.put(GPU_NODES, {"metadata": {"name": "node-0"}, "spec": spec, "status": {"operation": running}})
    async with world.agent():
        await until(lambda: world.status.get("gpus"), "reported")
        failed = {"id": "op-1", "phase": "Failed", "message": "Busy"}
        held = world.api.objects(GPU_NODES)["node-0"]
        world.api.put(GPU_NODES, {**held, "status": {**held["status"], "operation": failed}})
        os.close(other)
        world.api.put(RESOURCE_CLAIMS, resource_claim("c", "gpu-0-128"))
        await until(lambda: world.status["gpus"][0]["partitions"][0]["holder"] == "foreign", "written anew")
        assert (world.phase, world.hardware.calls) == ("Failed", [])
        world.api.remove(RESOURCE_CLAIMS, next(iter(world.api.objects(RESOURCE_CLAIMS))))
        world.put_node(operation=operation("op-2", A="DPX/NPS1"))
        await until(lambda: world.phase == "Succeeded", "the next one is its own")


async def test_an_operation_that_cannot_be_read_fails_once_by_name(world: World) -> None:
    broken = {"id": "op-1", "from": {"gpus": []}, "to": {"gpus": [{"bdf": "five", "mode": "CPX/NPS1"}]}}
    world.put_node(operation=broken)
    async with world.agent():
        await until(lambda: world.phase == "Failed", "refused")
        assert "bdf" in world.status["operation"]["message"] or "from" in world.status["operation"]["message"]
        world.put_node(operation=operation("op-2", A="DPX/NPS1"))
        await until(lambda: world.phase == "Succeeded", "the next one is done")


def writes(world: World) -> int:
    """Writes of statuses and slices that the API server has seen; the Lease is renewed all the time."""
    return sum(seen.method != "GET" and "leases" not in seen.path for seen in world.api.seen)


def list_of(one: Manifest) -> list[str]:
    return [device["name"] for device in one["spec"]["devices"]]


async def test_the_kubelet_is_asked_soon_while_a_claim_waits_for_its_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.agent.node_agent._KUBELET_SECONDS", 0.05)
    monkeypatch.setattr("controller.agent.node_agent.REFRESH_SECONDS", 1000.0)
    kubelet = world.kubelet = Kubelet()
    world.put_node()
    resource = {"name": "amd.com/gpu", "mode": "SPX/NPS1", "bytes": 1}
    claim = partition_claim("waits")
    claim["status"]["allocation"] |= {"resource": resource}
    world.api.put(GPU_PARTITION_CLAIMS, claim)
    async with world.agent():
        await until(lambda: kubelet.asked > 2, "asked again and again")
        kubelet.told = (AssignedDevice(namespace="team", pod="p", container="c", resource="amd.com/gpu", device=A),)
        await until(lambda: world.status.get("assigned"), "told")


async def test_without_resource_claims_there_are_no_slices_and_all_else_goes_on() -> None:
    async with FakeApiServer() as api:
        for resource in (GPU_NODES, GPU_PARTITION_CLAIMS, LEASES):
            api.serve(resource)
        world = World(api)
        world.put_node()
        async with world.agent() as agent:
            await until(lambda: LEASE in api.objects(LEASES), "a heartbeat")
            assert (agent.problem(), world.status["summary"]["partitions"]) == (None, 2)
            assert not any("resourceslices" in seen.path for seen in api.seen)
