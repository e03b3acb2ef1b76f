from dataclasses import fields, replace

import pytest

from controller.sizing.catalog import Catalog
from tests.benchmarks.sizing.identity import Names
from tests.benchmarks.sizing.observation import FILE, GIB, Observation, read
from tests.benchmarks.sizing.starts import NotPredictable, start_of

NAMES = Names(Catalog.bundled())
ROWS = {row.obs_id: row for row in read(FILE)[0]}
SWEEP = ROWS["EM091"]

PRINTED = ("weights_gib", "non_torch_gib", "activation_peak_gib", "cuda_graph_gib", "kv_cache_gib", "kv_tokens")
DERIVED = ("kv_bytes_per_token_observed", "kv_bytes_per_token_formula")


def test_the_command_line_is_taken_as_it_is() -> None:
    start = start_of(SWEEP, NAMES)
    settings = start.settings
    assert (settings.max_num_seqs, settings.max_num_batched_tokens, start.utilization) == (1024, 8192, 0.95)
    assert (start.device_bytes, start.max_model_len, settings.platform) == (int(79.19 * GIB), 8192, "cuda")


def test_what_it_does_not_say_is_the_engines_default() -> None:
    bare = replace(
        SWEEP, max_num_seqs=None, max_num_batched_tokens=None, gpu_memory_utilization=None, gpu_total_gib=None
    )
    assert start_of(bare, NAMES) == replace(
        start_of(SWEEP, NAMES), settings=replace(start_of(SWEEP, NAMES).settings, gpu_memory_utilization=0.9)
    )


@pytest.mark.parametrize("row", [SWEEP, ROWS["EM026"], ROWS["EM109"]], ids=lambda row: row.obs_id)
def test_nothing_that_the_engine_printed_is_looked_at(row: Observation) -> None:
    blind = replace(row, **dict.fromkeys((*PRINTED, *DERIVED)), outcome="", notes="", source="")  # type: ignore[arg-type]
    assert {field.name for field in fields(row)} >= {*PRINTED, *DERIVED}
    assert start_of(blind, NAMES) == start_of(row, NAMES)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"engine": "sglang"}, "engine sglang"),
        ({"model": "not named"}, "not in the catalogue"),
        ({"tensor_parallel": None}, "tensor parallelism"),
        ({"gpu": "NVIDIA (not named)", "gpu_total_gib": None}, "memory of the device"),
        ({"quantization": "compressed-tensors"}, "quantization"),
        ({"tensor_parallel": 0}, "tensor_parallel below 1"),
        ({"gpu_memory_utilization": 90.0}, "between 0 and 1"),
        ({"gpu_total_gib": -1.0}, "memory of the device"),
        ({"gpu": "a GPU", "gpu_vendor": ""}, "vendor of the device"),
    ],
)
def test_what_cannot_be_known_is_a_reason(changed: dict[str, object], reason: str) -> None:
    with pytest.raises(NotPredictable, match=reason):
        start_of(replace(SWEEP, **changed), NAMES)  # type: ignore[arg-type]


def test_an_engine_of_no_version_is_marked() -> None:
    assert start_of(SWEEP, NAMES).engine_known
    assert not start_of(replace(SWEEP, engine_version="", engine_gen=""), NAMES).engine_known


@pytest.mark.parametrize(("gpu", "want"), [("H100 SXM", "cuda"), ("A100 80GB", "cuda"), ("MI300X", "rocm")])
def test_without_a_vendor_the_devices_name_tells_the_platform(gpu: str, want: str) -> None:
    assert start_of(replace(SWEEP, gpu=gpu, gpu_vendor=""), NAMES).settings.platform == want


def test_the_device_gives_its_compute_units_and_instruction_set() -> None:
    start = start_of(replace(SWEEP, gpu="MI210", gpu_vendor="AMD"), NAMES)
    assert (start.settings.multiprocessors, start.gfx_version) == (104, 90010)


@pytest.mark.parametrize(("said", "want"), [("", "auto"), ("BF16", "bfloat16"), ("fp8_e4m3", "fp8_e4m3")])
def test_a_type_of_cache_is_read_in_peoples_words(said: str, want: str) -> None:
    assert start_of(replace(SWEEP, kv_cache_dtype=said), NAMES).settings.kv_cache_dtype == want
