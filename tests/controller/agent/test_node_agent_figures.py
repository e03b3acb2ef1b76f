"""What a node's agent tells of itself: figures measured when they are asked for, and the entries of its ledger."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from api.v1beta1.gpu_node import OperationPhase
from controller.agent.backend import DriverGone, NodeUse
from controller.gpu.figures import Holding
from controller.gpu.mode import ComputeMode
from controller.runtime.client.core import LEASES, RESOURCE_CLAIMS, RESOURCE_SLICES
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from tests.controller.agent.claims import partition_claim, resource_claim
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.controller.agent.test_node_agent import GIVEN, Kubelet, World, operation, until
from tests.fakes.api_server import FakeApiServer

GIB = 2**30
WHOLE = 196592 << 20


@dataclass
class Notes:
    """A ledger that keeps every entry."""

    held: list[tuple[Holding, ...]] = field(default_factory=list)
    ended: list[OperationPhase] = field(default_factory=list)

    def hold(self, holdings: tuple[Holding, ...]) -> None:
        self.held.append(holdings)

    def operation_ended(self, phase: OperationPhase) -> None:
        self.ended.append(phase)


@dataclass
class Scene:
    """A world whose agent has a ledger."""

    world: World
    notes: Notes


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with FakeApiServer() as api:
        for resource in (GPU_NODES, GPU_PARTITION_CLAIMS, RESOURCE_CLAIMS, RESOURCE_SLICES, LEASES):
            api.serve(resource)
        notes = Notes()
        world = World(api, ledger=notes)
        world.put_node()
        yield Scene(world, notes)


class Slow(RecordedBackend):
    """Stands still while it changes a mode, until it may go on. `looks` counts who measured it."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self.changing, self.go_on, self.looks = asyncio.Event(), asyncio.Event(), 0

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        self.changing.set()
        await self.go_on.wait()
        await super().set_compute_mode(bdf, mode)

    async def usage(self) -> NodeUse:
        self.looks += 1
        return await super().usage()


async def test_figures_say_what_the_node_is_who_holds_it_and_what_it_does(scene: Scene) -> None:
    claim = partition_claim("aim-1", "gpu-0-128", model="Qwen/Qwen3-8B", pod="chat-0", service="chat")
    scene.world.api.put(GPU_PARTITION_CLAIMS, claim)
    async with scene.world.agent() as agent:
        await until(lambda: scene.notes.held, "reported")
        told = await agent.measure()
    assert (told.node, told.backend, told.simulated, told.driver, told.readable) == (
        "node-0",
        "simulated",
        True,
        "6.12.12",
        True,
    )
    first, second = told.partitions
    assert (first.pod, first.service, first.allocated_bytes, first.used_bytes) == ("chat-0", "chat", 17 * GIB, 0)
    assert (second.pod, second.service, second.allocated_bytes) == ("", "", 0)
    assert [gpu.gpu for gpu in told.gpus] == [A, B]
    assert all(gpu.power_watts and gpu.temperatures and gpu.processes == 0 for gpu in told.gpus)


async def test_nothing_is_told_of_gpus_before_they_were_read(scene: Scene) -> None:
    scene.world.hardware.fail = {"read": DriverGone("no driver")}
    async with scene.world.agent() as agent:
        assert (await agent.measure()).readable is None
        await until(lambda: scene.world.status, "reported")
        told = await agent.measure()
        assert (told.readable, told.driver, told.gpus, told.partitions) == (False, "", (), ())


async def test_a_driver_that_went_is_told_at_once(scene: Scene) -> None:
    async with scene.world.agent() as agent:
        await until(lambda: scene.notes.held, "reported")
        scene.world.hardware.fail = {"usage": DriverGone("no driver")}
        told = await agent.measure()
        assert (told.readable, told.gpus) == (False, ())
        assert {(one.total_bytes, one.used_bytes, one.busy) for one in told.partitions} == {(None, None, None)}


async def test_gpus_that_are_changed_are_neither_looked_at_nor_told_of(scene: Scene) -> None:
    scene.world.hardware = slow = Slow("SPX/NPS1")
    async with scene.world.agent() as agent:
        await until(lambda: scene.notes.held, "reported")
        assert len((await agent.measure()).partitions) == 2
        looks = slow.looks
        scene.world.put_node(operation=operation(A="DPX/NPS1"))
        await slow.changing.wait()
        told = await agent.measure()
        assert slow.looks == looks, "who looks at a GPU now may keep its driver from going"
        assert [(one.gpu, one.total_bytes, one.used_bytes) for one in told.partitions] == [(B, WHOLE, None)]
        assert ([gpu.gpu for gpu in told.gpus], told.readable) == ([B], True)
        assert [(gpu.power_watts, gpu.processes) for gpu in told.gpus] == [(None, None)]
        slow.go_on.set()
        await until(lambda: scene.notes.ended, "done")
        await until(lambda: not agent.view().changing, "offered again")
        places = [(one.gpu, one.partition, one.mode) for one in (await agent.measure()).partitions]
        assert places == [(A, 0, "DPX/NPS1"), (A, 1, "DPX/NPS1"), (B, 0, "SPX/NPS1")]


async def test_the_ledger_hears_who_holds_partitions_and_who_does_no_more(scene: Scene) -> None:
    chat = partition_claim("aim-1", "gpu-0-128", model="m", pod="chat-0", service="chat")
    async with scene.world.agent():
        await until(lambda: scene.notes.held == [()], "nobody, to begin with")
        scene.world.api.put(GPU_PARTITION_CLAIMS, chat)
        await until(lambda: scene.notes.held[-1] == (Holding("team", "chat", "m", WHOLE),), "a claim")
        scene.world.api.put(RESOURCE_CLAIMS, resource_claim("theirs", "gpu-8-136"))
        await until(
            lambda: scene.notes.held[-1] == (Holding("team", "chat", "m", WHOLE), Holding("team", "", "", WHOLE)),
            "a foreign one",
        )
        scene.world.api.remove(GPU_PARTITION_CLAIMS, "team/aim-1")
        await until(lambda: scene.notes.held[-1] == (Holding("team", "", "", WHOLE),), "gone")


async def test_what_the_kubelet_gave_to_strangers_is_held_too(scene: Scene) -> None:
    scene.world.kubelet = Kubelet()
    scene.world.kubelet.told = (GIVEN,)
    async with scene.world.agent() as agent:
        await until(lambda: scene.notes.held, "reported")
        assert scene.notes.held[-1] == (Holding("team", "", "", WHOLE),)
        first = (await agent.measure()).partitions[0]
        assert (first.namespace, first.pod, first.allocated_bytes) == ("team", "llm-0", WHOLE)


async def test_what_the_kubelet_gave_to_a_pod_whose_claim_waits_is_its_services(scene: Scene) -> None:
    scene.world.kubelet = Kubelet()
    scene.world.kubelet.told = (GIVEN,)
    claim = partition_claim("aim-1", model="m", pod=GIVEN.pod, service="chat")
    claim["status"]["allocation"] |= {"resource": {"name": "amd.com/gpu", "mode": "SPX/NPS1", "bytes": WHOLE}}
    scene.world.api.put(GPU_PARTITION_CLAIMS, claim)
    async with scene.world.agent() as agent:
        await until(lambda: scene.notes.held, "reported")
        assert scene.notes.held[-1] == (Holding("team", "chat", "m", WHOLE),)
        first = (await agent.measure()).partitions[0]
        assert (first.claim, first.service, first.allocated_bytes) == ("aim-1", "chat", 17 * GIB)


async def test_operations_are_counted_once_by_how_they_end(scene: Scene) -> None:
    async with scene.world.agent():
        await until(lambda: scene.world.status, "reported")
        scene.world.put_node(operation=operation("op-1", A="DPX/NPS1"))
        await until(lambda: scene.world.phase == "Succeeded", "done")
        scene.world.put_node(operation=operation("op-2", A="TPX/NPS1"))
        await until(lambda: len(scene.notes.ended) == 2, "refused by the hardware")
        broken = {"id": "op-3", "from": {"gpus": []}, "to": {"gpus": [{"bdf": "five", "mode": "CPX/NPS1"}]}}
        scene.world.put_node(operation=broken)
        await until(lambda: len(scene.notes.ended) == 3, "refused as it cannot be read")
    async with scene.world.agent():
        held = len(scene.notes.held)
        await until(lambda: len(scene.notes.held) > held, "the next agent reports")
        await asyncio.sleep(0.1)
    assert scene.notes.ended == [OperationPhase.SUCCEEDED, OperationPhase.FAILED, OperationPhase.FAILED]
