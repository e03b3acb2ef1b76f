"""What every backend does when modes are changed: the order, what takes effect when, and who is refused."""

from itertools import product
from pathlib import Path

import pytest

from controller.agent.backend import Busy, NotSupported, PartitionBackend, RestartFailed, SettingUnavailable
from controller.agent.partitioner import Progress, ROCmPartitioner
from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import product_named
from tests.controller.agent.conformance.benches import Case, MakeBench, SysfsBench
from tests.controller.agent.hardware import A, B, C

MODES = [str(mode) for mode in product_named("MI300X").allowed]


async def ignore(_progress: Progress) -> None:
    return


async def apply(backend: PartitionBackend, **modes: str) -> None:
    """Bring the GPUs A and B into these modes."""
    asked = {{"A": A, "B": B}[letter]: Mode.parse(mode) for letter, mode in modes.items()}
    await ROCmPartitioner(backend).apply(asked, ignore)


async def modes(backend: PartitionBackend) -> list[str]:
    return [str(gpu.mode) for gpu in (await backend.read()).gpus]


@pytest.mark.parametrize(("first", "last"), [(a, b) for a, b in product(MODES, MODES) if a != b])
async def test_every_mode_is_reached_from_every_mode_in_the_one_order(
    make_bench: MakeBench, first: str, last: str
) -> None:
    bench = make_bench(Case(first, files=False))
    await apply(bench.backend, A=last, B=last)
    assert await modes(bench.backend) == [last, last]
    memory = Mode.parse(last).memory
    expected = ["memory", "reload"] if memory is not Mode.parse(first).memory else []
    kinds = [change.split()[0] for change in bench.log()]
    assert kinds[: len(expected)] == expected
    assert set(kinds[len(expected) :]) <= {"compute"}


async def test_each_gpu_may_be_in_a_compute_mode_of_its_own(make_bench: MakeBench) -> None:
    bench = make_bench(Case("SPX/NPS1"))
    await apply(bench.backend, A="CPX/NPS4", B="QPX/NPS4")
    assert await modes(bench.backend) == ["CPX/NPS4", "QPX/NPS4"]
    # what the reload leaves is the driver's choice: B was QPX after it
    assert bench.log() == ["memory NPS4", "reload", f"compute {A} CPX"]


async def test_a_memory_mode_takes_effect_with_the_reload_which_resets_compute_modes(make_bench: MakeBench) -> None:
    bench = make_bench(Case("CPX/NPS1"))
    await bench.backend.set_memory_mode(MemoryMode.NPS4)
    assert await modes(bench.backend) == ["CPX/NPS1", "CPX/NPS1"]
    await bench.backend.reload_driver()
    assert await modes(bench.backend) == ["QPX/NPS4", "QPX/NPS4"]  # no SPX with NPS4


async def test_a_reload_alone_resets_compute_modes(make_bench: MakeBench) -> None:
    bench = make_bench(Case("CPX/NPS1"))
    await bench.backend.reload_driver()
    assert await modes(bench.backend) == ["SPX/NPS1", "SPX/NPS1"]


async def test_a_compute_mode_is_one_gpus_and_needs_no_reload(make_bench: MakeBench) -> None:
    bench = make_bench(Case("SPX/NPS1"))
    await bench.backend.set_compute_mode(B, ComputeMode.DPX)
    assert await modes(bench.backend) == ["SPX/NPS1", "DPX/NPS1"]


@pytest.mark.parametrize("mode", [ComputeMode.SPX, ComputeMode.TPX])
async def test_a_mode_that_does_not_go_with_the_memory_mode_is_unavailable(
    make_bench: MakeBench, mode: ComputeMode
) -> None:
    bench = make_bench(Case("CPX/NPS4"))
    with pytest.raises(SettingUnavailable):
        await bench.backend.set_compute_mode(A, mode)
    assert await modes(bench.backend) == ["CPX/NPS4", "CPX/NPS4"]


async def test_a_memory_mode_that_the_product_has_not_got_is_unavailable(make_bench: MakeBench) -> None:
    with pytest.raises(SettingUnavailable):
        await make_bench(Case("CPX/NPS1", product="MI300A")).backend.set_memory_mode(MemoryMode.NPS4)


async def test_a_gpu_that_is_not_there_is_unavailable(make_bench: MakeBench) -> None:
    with pytest.raises(SettingUnavailable, match=f"GPU {C}: not on this node"):
        await make_bench(Case()).backend.set_compute_mode(C, ComputeMode.CPX)


async def test_a_user_forbids_its_gpus_compute_mode_and_every_memory_mode_and_reload(make_bench: MakeBench) -> None:
    bench = make_bench(Case("SPX/NPS1"))
    bench.attach(B)
    with pytest.raises(Busy) as refusal:
        await bench.backend.set_compute_mode(B, ComputeMode.CPX)
    assert refusal.value.gpus == {B}
    with pytest.raises(Busy) as refusal:
        await bench.backend.set_memory_mode(MemoryMode.NPS4)
    assert B in refusal.value.gpus
    with pytest.raises(RestartFailed):
        await bench.backend.reload_driver()
    await bench.backend.set_compute_mode(A, ComputeMode.CPX)
    assert await modes(bench.backend) == ["CPX/NPS1", "SPX/NPS1"]


@pytest.mark.parametrize(
    ("asked", "user"),
    [
        pytest.param({"A": "CPX/NPS1"}, A, id="compute, its own gpu"),
        pytest.param({"A": "CPX/NPS4", "B": "CPX/NPS4"}, B, id="memory, another gpu"),
        pytest.param({"A": "CPX/NPS4", "B": "CPX/NPS4"}, A, id="memory, the first gpu"),
    ],
)
async def test_nothing_is_tried_while_a_process_holds_the_device(
    make_bench: MakeBench, asked: dict[str, str], user: str
) -> None:
    bench = make_bench(Case("SPX/NPS1"))
    bench.attach(user)
    with pytest.raises(Busy) as refusal:
        await apply(bench.backend, **asked)
    assert refusal.value.gpus == {user}
    assert bench.log() == []


async def test_processes_are_told_by_gpu(make_bench: MakeBench) -> None:
    bench = make_bench(Case("CPX/NPS1"))
    assert await bench.backend.processes() == {}
    bench.attach(B)
    found = await bench.backend.processes()
    assert list(found) == [B]
    assert len(found[B]) == 1


async def test_every_partition_has_its_use(make_bench: MakeBench) -> None:
    use = (await make_bench(Case("DPX/NPS1")).backend.usage()).partitions
    assert {str(partition): (told.used_bytes, told.busy) for partition, told in use.items()} == {
        f"{bdf}/{index}": (0, 0.0) for bdf in (A, B) for index in (0, 1)
    }


async def test_the_files_can_be_read_and_not_changed(memory_path: Path) -> None:
    bench = SysfsBench(memory_path, Case("SPX/NPS1"))
    await bench.write()
    for change in (
        bench.backend.set_memory_mode(MemoryMode.NPS4),
        bench.backend.reload_driver(),
        bench.backend.set_compute_mode(A, ComputeMode.CPX),
        apply(bench.backend, A="CPX/NPS1"),
    ):
        with pytest.raises(NotSupported, match=r"libamd_smi\.so"):
            await change
