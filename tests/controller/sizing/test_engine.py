from dataclasses import replace

import pytest

from controller.gpu.mode import mode
from controller.gpu.product import product_named
from controller.sizing.catalog import Catalog
from controller.sizing.engine import (
    Device,
    EngineSettings,
    as_vllm_starts_it,
    graph_bytes,
    graphs_within_budget,
    non_torch_bytes,
    resolved,
)

GIB = 2**30
CUDA = EngineSettings(platform="cuda", version="0.19")
LLAMA = Catalog.bundled().get("meta-llama/Llama-3.1-8B-Instruct")


def test_a_start_of_ours_batches_as_a_small_device() -> None:
    settings = resolved(EngineSettings(), 8)
    assert (settings.max_num_seqs, settings.max_num_batched_tokens) == (256, 2048)
    assert resolved(EngineSettings(), 500).max_num_seqs == 500


@pytest.mark.parametrize(("sequences", "tokens"), [(2048, 2048), (4096, 4096), (65_536, 65_536)])
def test_a_batch_of_ours_has_a_token_for_each_sequence(sequences: int, tokens: int) -> None:
    assert resolved(EngineSettings(), sequences).max_num_batched_tokens == tokens


def test_sequences_that_nobody_asked_for_are_no_more_than_a_batch_has_tokens() -> None:
    started = as_vllm_starts_it(replace(CUDA, max_num_batched_tokens=512), Device(79 * GIB, "NVIDIA H100"), 8192)
    assert (started.max_num_seqs, started.max_num_batched_tokens) == (512, 512)


@pytest.mark.parametrize(
    ("settings", "device", "length", "want"),
    [
        pytest.param(CUDA, Device(79 * GIB, "NVIDIA H100"), 8192, (1024, 8192), id="a large device"),
        pytest.param(replace(CUDA, version="0.27"), Device(79 * GIB), 8192, (1024, 8192), id="a large one until 0.27"),
        pytest.param(replace(CUDA, version="0.28"), Device(79 * GIB), 8192, (1024, 16_384), id="a large one from 0.28"),
        pytest.param(CUDA, Device(79 * GIB, "NVIDIA A100"), 8192, (256, 2048), id="an A100 counts as small"),
        pytest.param(CUDA, Device(24 * GIB), 8192, (256, 2048), id="a small device"),
        pytest.param(replace(CUDA, generation="V0"), Device(79 * GIB), 8192, (256, 8192), id="V0: a whole prompt"),
        pytest.param(replace(CUDA, generation="V0"), Device(79 * GIB), 512, (256, 2048), id="V0: 2048 at least"),
        pytest.param(
            replace(CUDA, generation="V0"), Device(79 * GIB), 65536, (256, 2048), id="V0: long ones in chunks"
        ),
        pytest.param(replace(CUDA, version="0.8.4"), Device(24 * GIB), 8192, (1024, 2048), id="early V1: 1024 on any"),
        pytest.param(replace(CUDA, version="0.8.5"), Device(24 * GIB), 8192, (256, 2048), id="not from 0.8.5"),
        pytest.param(replace(CUDA, max_num_seqs=3), Device(79 * GIB), 8192, (3, 8192), id="what is asked for stays"),
    ],
)
def test_defaults_follow_device_and_generation(
    settings: EngineSettings, device: Device, length: int, want: tuple[int, int]
) -> None:
    started = as_vllm_starts_it(settings, device, length)
    assert (started.max_num_seqs, started.max_num_batched_tokens) == want
    assert started.gpu_memory_utilization == 0.9


@pytest.mark.parametrize(
    ("settings", "tensor_parallel", "want"),
    [
        # printed: see engine_constants.py
        (replace(CUDA, version="0.17"), 1, 0.13),
        (CUDA, 1, 0.25),
        (replace(CUDA, version="0.11"), 2, 0.54),
        (CUDA, 2, 2.07),
        (CUDA, 4, 2.13),
        (EngineSettings(), 1, 0.57),
    ],
)
def test_non_torch_follows_version_platform_and_ranks(
    settings: EngineSettings, tensor_parallel: int, want: float
) -> None:
    assert non_torch_bytes(settings, tensor_parallel) / GIB == pytest.approx(want, rel=0.03)


def test_graphs_grow_with_layers_and_eager_has_none() -> None:
    # printed for its 32 layers: 0.91 GiB
    assert graph_bytes(CUDA, LLAMA) / GIB == pytest.approx(0.91, rel=0.02)
    assert graph_bytes(replace(CUDA, enforce_eager=True), LLAMA) == 0


@pytest.mark.parametrize(("version", "factor"), [("0.17", 1), ("0.18", 2), ("", 2)])
def test_an_architecture_that_captures_larger_batches_has_larger_graphs(version: str, factor: int) -> None:
    # gpt-oss-20b printed 1.84 and 1.55 GiB with 0.19; the line of 24 layers is 0.79
    gpt = Catalog.bundled().get("openai/gpt-oss-20b")
    assert graph_bytes(EngineSettings(version=version), gpt) / GIB == pytest.approx(0.79 * factor, rel=0.01)


@pytest.mark.parametrize(
    ("version", "platform", "want"),
    [("0.20", "cuda", False), ("0.21", "cuda", True), ("0.21", "rocm", False), ("0.31", "rocm", True)],
)
def test_version_and_platform_decide_whether_graphs_are_within_the_budget(
    version: str, platform: str, want: bool
) -> None:
    settings = EngineSettings(version=version, platform="cuda" if platform == "cuda" else "rocm")
    assert graphs_within_budget(settings) is want


@pytest.mark.parametrize(("name", "gib", "units"), [("SPX/NPS1", 191.98, 304), ("CPX/NPS4", 24.0, 38)])
def test_a_partition_has_its_share_of_memory_and_compute_units(name: str, gib: float, units: int) -> None:
    device = Device.of(product_named("MI300X"), mode(name))
    assert device.total_bytes / GIB == pytest.approx(gib, abs=0.01)
    assert device.multiprocessors == units
    assert as_vllm_starts_it(EngineSettings(), device, 8192).multiprocessors == units
