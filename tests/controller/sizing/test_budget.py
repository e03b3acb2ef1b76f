from dataclasses import replace

import pytest

from controller.sizing.budget import Start, budget, stage_weights_bytes
from controller.sizing.catalog import Catalog
from controller.sizing.engine import Device, EngineSettings, as_vllm_starts_it
from controller.sizing.precision import Precision

GIB = 2**30
H100 = Device(int(79.19 * GIB), "NVIDIA H100")
LLAMA = Catalog.bundled().get("meta-llama/Llama-3.1-8B-Instruct")


def start(version: str, platform: str = "cuda", utilization: float | None = 0.95) -> Start:
    settings = EngineSettings(
        version=version, platform="cuda" if platform == "cuda" else "rocm", gpu_memory_utilization=utilization
    )
    return Start(LLAMA, Precision.BF16, as_vllm_starts_it(settings, H100, 8192), H100.total_bytes, 8192)


def test_the_cache_gets_what_is_left() -> None:
    # printed by 0.19: weights 14.99, non-torch 0.25, activation 1.89, KV cache 58.11
    divided = budget(start("0.19"))
    assert divided.kv_cache_bytes / GIB == pytest.approx(58.11, abs=0.02)
    assert divided.beside_bytes == divided.device_bytes - divided.requested_bytes


def test_graphs_are_taken_off_where_the_version_does_so() -> None:
    before, after = budget(start("0.20")), budget(start("0.21"))
    assert before.kv_cache_bytes - after.kv_cache_bytes == after.graph_bytes > 0


def test_the_engines_own_share_is_nine_tenths() -> None:
    assert budget(start("0.19", utilization=None)).requested_bytes == int(H100.total_bytes * 0.9)


@pytest.mark.parametrize(("stages", "want"), [(2, 7.51), (4, 4.26)])
def test_a_pipeline_stage_holds_its_layers_and_the_head(stages: int, want: float) -> None:
    weights = stage_weights_bytes(replace(start("0.19"), pipeline_parallel=stages))
    assert weights / GIB == pytest.approx(want, rel=0.01)


def test_float32_is_computed_in_four_bytes() -> None:
    wide = replace(start("0.19"), precision=Precision.FP32)
    assert (wide.element_bytes, start("0.19").element_bytes) == (4, 2)
