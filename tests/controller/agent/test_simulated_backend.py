import asyncio
from pathlib import Path

import pytest

from controller.agent.backend import (
    HOTSPOT,
    MEMORY,
    Busy,
    DriverGone,
    GpuProcess,
    RestartFailed,
    SettingUnavailable,
)
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_seed import seeded_gpus
from controller.agent.simulated_state import StateFileError
from controller.agent.simulated_use import IDLE
from controller.agent.sysfs import read_topology
from controller.gpu.identity import PartitionId
from controller.gpu.layout import slices
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import PRODUCTS, product_named
from tests.builders.kfd_recording import unpack
from tests.controller.agent.hardware import A, B, RecordedBackend
from tests.fakes.clock import LoopClock, SkippingClock

MIB, GIB = 2**20, 2**30


async def test_it_is_the_recorded_server(tmp_path: Path) -> None:
    recorded = read_topology(unpack("topo-mi300-cpx.tar.gz", tmp_path))
    simulated = {gpu.bdf: gpu for gpu in (await RecordedBackend("CPX/NPS4", gpus=8).read()).gpus}
    assert list(simulated) == [gpu.bdf for gpu in recorded.gpus]
    for gpu in recorded.gpus:
        ours = simulated[gpu.bdf]
        assert ours.mode is not None
        assert (ours.product, ours.mode.compute) == (gpu.product_name, gpu.compute_mode)
        told = [(part.id, part.render_index, part.compute_units) for part in ours.partitions]
        # the recorded host shows one partition less on its last GPU: another driver held a place
        shown = [(part.id, part.render_minor, part.compute_units) for part in gpu.partitions]
        assert told[: len(shown)] == shown


def test_unique_ids_are_the_recorded_ones() -> None:
    assert seeded_gpus()[0].unique_id == "16404946649897475633"
    assert len({gpu.unique_id for gpu in seeded_gpus()}) == 8


@pytest.mark.parametrize(
    ("mode", "count", "mib", "units"),
    [
        pytest.param("SPX/NPS1", 1, 196592, 304, id="whole"),
        pytest.param("DPX/NPS2", 2, 98296, 152, id="halves"),
        pytest.param("QPX/NPS1", 4, 49148, 76, id="quarters"),
        pytest.param("CPX/NPS4", 8, 24574, 38, id="eighths"),
    ],
)
async def test_sizes(mode: str, count: int, mib: int, units: int) -> None:
    gpu = (await RecordedBackend(mode).read()).gpus[1]
    assert gpu.vram_bytes == 196592 * MIB
    assert [(p.bytes, p.compute_units, p.simd_units) for p in gpu.partitions] == [(mib * MIB, units, units * 4)] * count
    assert [p.render_index for p in gpu.partitions] == list(range(136, 136 + count))


async def test_a_held_gpu_refuses_a_compute_mode_and_others_do_not() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.held = frozenset({A})
    with pytest.raises(Busy, match=A):
        await backend.set_compute_mode(A, ComputeMode.CPX)
    await backend.set_compute_mode(B, ComputeMode.CPX)
    assert await backend.modes() == {A: "SPX/NPS1", B: "CPX/NPS1"}


async def test_any_held_gpu_refuses_a_memory_mode_and_a_reload() -> None:
    backend = RecordedBackend("SPX/NPS1")
    backend.held = frozenset({B})
    with pytest.raises(Busy) as refusal:
        await backend.set_memory_mode(MemoryMode.NPS4)
    assert refusal.value.gpus == {B}
    with pytest.raises(RestartFailed, match=B):
        await backend.reload_driver()


async def test_a_memory_mode_needs_the_reload() -> None:
    backend = RecordedBackend("CPX/NPS1")
    await backend.set_memory_mode(MemoryMode.NPS4)
    assert await backend.modes() == {A: "CPX/NPS1", B: "CPX/NPS1"}
    await backend.reload_driver()
    assert await backend.modes() == {A: "QPX/NPS4", B: "QPX/NPS4"}  # no SPX with NPS4


async def test_a_reload_resets_compute_modes_to_spx_where_it_may() -> None:
    backend = RecordedBackend("CPX/NPS1")
    await backend.reload_driver()
    assert await backend.modes() == {A: "SPX/NPS1", B: "SPX/NPS1"}


@pytest.mark.parametrize("mode", [ComputeMode.TPX, ComputeMode.SPX])
async def test_modes_that_do_not_go_together_are_unavailable(mode: ComputeMode) -> None:
    with pytest.raises(SettingUnavailable, match="use one of"):
        await RecordedBackend("CPX/NPS4").set_compute_mode(A, mode)


@pytest.mark.looptime
async def test_a_reload_takes_its_time_and_nothing_answers_meanwhile() -> None:
    backend = RecordedBackend("SPX/NPS1", gpus=8, clock=LoopClock(), time_scale=1.0)
    started = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(backend.reload_driver())
        await asyncio.sleep(39.9)
        with pytest.raises(DriverGone):
            await backend.read()
    assert asyncio.get_running_loop().time() - started == pytest.approx(40.0)
    await backend.read()


@pytest.mark.looptime
async def test_a_reload_cut_off_changes_nothing_and_can_be_repeated() -> None:
    backend = RecordedBackend("SPX/NPS1", clock=LoopClock(), time_scale=1.0)
    await backend.set_memory_mode(MemoryMode.NPS2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await backend.reload_driver()
    assert await backend.modes() == {A: "SPX/NPS1", B: "SPX/NPS1"}
    await backend.reload_driver()
    assert await backend.modes() == {A: "DPX/NPS2", B: "DPX/NPS2"}


async def test_modes_outlive_the_process(tmp_path: Path) -> None:
    first = RecordedBackend("SPX/NPS1", file=tmp_path / "node.json")
    await first.set_compute_mode(B, ComputeMode.QPX)
    again = RecordedBackend("CPX/NPS4", file=tmp_path / "node.json")  # what it started in no longer counts
    assert await again.modes() == {A: "SPX/NPS1", B: "QPX/NPS1"}
    assert not await asyncio.to_thread(lambda: set(tmp_path.iterdir()) - {tmp_path / "node.json"})


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"memory": "NPS9"}', b'{"memory": "NPS1", "requested": "NPS1", "compute": {}}']
)
def test_a_state_file_that_cannot_be_believed_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "node.json"
    file.write_bytes(content)
    with pytest.raises(StateFileError, match=r"node\.json.*delete it"):
        RecordedBackend("SPX/NPS1", file=file)


async def test_usage_follows_the_holders_and_can_be_foretold() -> None:
    backend = RecordedBackend("DPX/NPS1")
    partition = PartitionId(A, 1)
    backend.used = {partition: 5 * MIB}
    told, again = await backend.usage(), await backend.usage()
    assert told == again
    first = told.partitions
    assert first[partition].used_bytes == 5 * MIB
    assert 0.35 <= (first[partition].busy or 0.0) <= 0.85
    assert all(use.used_bytes == use.busy == 0 for other, use in first.items() if other != partition)


async def test_a_gpu_that_works_is_warmer_and_draws_more() -> None:
    backend = RecordedBackend("DPX/NPS1")
    backend.used = {PartitionId(A, 0): GIB, PartitionId(A, 1): GIB}
    gpus = (await backend.usage()).gpus
    assert gpus[B] == IDLE
    assert gpus[A].temperatures[HOTSPOT] > gpus[B].temperatures[HOTSPOT]
    assert gpus[A].temperatures[MEMORY] > gpus[B].temperatures[MEMORY]
    assert 750 >= (gpus[A].power_watts or 0.0) > (gpus[B].power_watts or 0.0) > 0


ALL_MODES = [(name, str(mode)) for name, product in PRODUCTS.items() for mode in product.allowed]


@pytest.mark.parametrize(("name", "mode"), ALL_MODES)
async def test_every_product_is_simulated_in_every_mode(name: str, mode: str) -> None:
    backend = SimulatedBackend(
        SimulatedShape(Mode.parse(mode), gpus=2, product=name), SkippingClock(), held=frozenset, used=dict
    )
    product = PRODUCTS[name]
    for gpu in (await backend.read()).gpus:
        assert (gpu.product, str(gpu.mode), gpu.missing_partitions) == (name, mode, 0)
        assert (gpu.modes_allowed, gpu.modes_validated) == (product.allowed, product.validated)
        assert [(part.id, part.bytes, part.compute_units) for part in gpu.partitions] == [
            (piece.index, piece.bytes, piece.compute_units) for piece in slices(product, Mode.parse(mode))
        ]


def test_a_gpu_that_cannot_be_divided_takes_one_render_minor() -> None:
    assert [gpu.first_render_index for gpu in seeded_gpus(3, product_named("MI210"))] == [128, 129, 130]


def test_a_state_file_of_another_product_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "node.json"
    RecordedBackend("QPX/NPS4", file=file)
    shape = SimulatedShape(Mode.parse("SPX/NPS1"), gpus=2, state_file=file, product="MI308X")
    with pytest.raises(StateFileError, match="QPX/NPS4, which MI308X has not got: delete it"):
        SimulatedBackend(shape, SkippingClock(), held=frozenset, used=dict)


async def test_whoever_holds_a_gpu_has_it_open() -> None:
    backend = RecordedBackend("SPX/NPS1")
    assert await backend.node.processes() == {}
    backend.held = frozenset({B})
    assert await backend.node.processes() == {B: (GpuProcess(4001, "simulated"),)}


@pytest.mark.parametrize("count", [0, 9])
def test_a_server_has_one_to_eight_gpus(count: int) -> None:
    with pytest.raises(ValueError, match=f"gpus {count}"):
        seeded_gpus(count)
