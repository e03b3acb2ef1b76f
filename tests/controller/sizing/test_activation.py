"""Peaks that vLLM printed, GiB: the README of tests/data/engine-memory names the origin."""

from dataclasses import replace

import msgspec
import pytest

from controller.sizing.activation import activation, activation_bytes
from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings
from controller.sizing.engine_support import ENGINE_PRODUCTS

CATALOG = Catalog.bundled()
GIB = 2**30
LLAMA = CATALOG.get("meta-llama/Llama-3.1-8B-Instruct")
LARGE = EngineSettings(max_num_seqs=1024, max_num_batched_tokens=8192, version="0.19", platform="cuda")


@pytest.mark.parametrize(
    ("model", "version", "tensor_parallel", "want"),
    [
        pytest.param("meta-llama/Llama-3.1-8B-Instruct", "0.19", 1, 1.89, id="logits, masked"),
        pytest.param("meta-llama/Llama-3.1-8B-Instruct", "0.19", 2, 1.89, id="every rank gathers all logits"),
        pytest.param("meta-llama/Llama-3.1-8B-Instruct", "0.11 era", 1, 4.76, id="logits, sorted"),
        pytest.param("Qwen/Qwen3-14B", "0.16.0", 1, 5.64, id="a larger vocabulary, sorted"),
        pytest.param("Qwen/Qwen3-14B", "0.17.0", 1, 2.23, id="and masked from 0.17"),
        pytest.param("mistralai/Mixtral-8x7B-Instruct-v0.1", "0.19", 2, 1.21, id="scratch of the experts, and logits"),
        pytest.param("meta-llama/Llama-4-Scout-17B-16E-Instruct", "0.19", 4, 3.19, id="experts, images and logits"),
        pytest.param("openai/gpt-oss-20b", "0.19", 1, 2.87, id="mxfp4 kernels need no scratch"),
        pytest.param("openai/gpt-oss-20b", "0.11", 1, 7.38, id="the same, sorted"),
    ],
)
def test_a_profile_run_peaks_as_printed(model: str, version: str, tensor_parallel: int, want: float) -> None:
    settings = replace(LARGE, version=version)
    peak = activation_bytes(CATALOG.get(model), settings, tensor_parallel)
    assert peak / GIB == pytest.approx(want, rel=0.02)


def test_float32_takes_more() -> None:
    # printed: 2.21 GiB
    assert activation(LLAMA, LARGE, 1, element_bytes=4).peak_bytes / GIB == pytest.approx(2.21, rel=0.02)


@pytest.mark.parametrize(
    ("model", "settings", "want"),
    [
        # V0 prints 1.22 with 256 sequences and a prompt of 10,000 tokens, and 1.09 with 16 sequences of 8,192
        ("meta-llama/Llama-3.2-3B-Instruct", EngineSettings(256, 10_000, generation="V0"), 1.22),
        ("Qwen/Qwen2.5-7B-Instruct", EngineSettings(16, 8192, generation="V0"), 1.09),
    ],
)
def test_the_first_engine_profiles_the_same_way(model: str, settings: EngineSettings, want: float) -> None:
    assert activation_bytes(CATALOG.get(model), settings, 1) / GIB == pytest.approx(want, rel=0.03)


def test_with_few_sequences_the_layer_leads_and_ranks_divide_it() -> None:
    few = replace(LARGE, max_num_seqs=8)
    one, two = activation(LLAMA, few, 1), activation(LLAMA, few, 2)
    assert one.layer_bytes == 8192 * (4 * 4096 + 3 * 14336) * 2
    assert one.layer_bytes > one.sampler_bytes
    assert one.layer_bytes - two.layer_bytes == 8192 * 3 * 7168 * 2


def test_images_are_held_through_the_run() -> None:
    blind = replace(LLAMA, shape=msgspec.structs.replace(LLAMA.shape, vision_params=0))
    seeing = replace(LLAMA, shape=msgspec.structs.replace(LLAMA.shape, vision_params=1))
    held = activation(seeing, LARGE, 1).held_bytes - activation(blind, LARGE, 1).held_bytes
    assert held == 8192 * (4096 + 3 * 28 * 28) * 2


@pytest.mark.parametrize(("units", "rows"), [(None, 132), (304, 304), (38, 38), (2048, 1024)])
def test_the_masking_kernel_has_a_row_a_compute_unit_and_no_more_than_sequences(units: int | None, rows: int) -> None:
    none, some = (activation(LLAMA, replace(LARGE, multiprocessors=count), 1).sampler_bytes for count in (1, units))
    assert some - none == (rows - 1) * LLAMA.shape.vocab_size * 4


def test_without_a_device_no_product_has_more_rows() -> None:
    on_rocm = replace(LARGE, platform="rocm")
    safe = activation(LLAMA, on_rocm, 1).sampler_bytes
    each = [replace(on_rocm, multiprocessors=product.compute_units) for product in ENGINE_PRODUCTS]
    assert max(activation(LLAMA, settings, 1).sampler_bytes for settings in each) == safe


def test_a_sorting_sampler_has_no_such_buffer() -> None:
    old = replace(LARGE, version="0.16")
    assert activation(LLAMA, replace(old, multiprocessors=304), 1) == activation(LLAMA, old, 1)
