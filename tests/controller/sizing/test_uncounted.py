"""What a start takes that no term of the budget counts; the logs are those that the module names."""

from dataclasses import replace

import pytest

from controller.sizing.budget import Start
from controller.sizing.catalog import Catalog
from controller.sizing.engine import EngineSettings, graph_bytes
from controller.sizing.precision import Precision
from controller.sizing.uncounted import at_start_bytes, emptied_bytes, kept_graph_bytes

CATALOG = Catalog.bundled()
GIB = 2**30
DENSE, MIXTURE, MXFP4 = "meta-llama/Llama-3.1-8B-Instruct", "mistralai/Mixtral-8x7B-Instruct-v0.1", "openai/gpt-oss-20b"


def start(model: str = DENSE, *, ranks: int = 1, version: str = "0.19", **settings: object) -> Start:
    facts = CATALOG.get(model)
    asked = EngineSettings(version=version, **{"platform": "cuda", **settings})  # type: ignore[arg-type]
    native = facts.checkpoint.quantization
    precision = Precision(native.method) if native else Precision.BF16
    return Start(facts, precision, asked, int(79.19 * GIB), 8192, tensor_parallel=ranks)


@pytest.mark.parametrize(
    ("model", "ranks", "free_gib"),
    [(DENSE, 1, 78.68), (DENSE, 2, 77.66), (DENSE, 4, 77.64), (MIXTURE, 1, 78.68), (MIXTURE, 2, 77.18)],
)
def test_ranks_are_connected_before_the_engine_looks(model: str, ranks: int, free_gib: float) -> None:
    # "worker init memory snapshot: ... free_memory=78.68GiB, total_memory=79.19GiB"
    found = start(model, ranks=ranks)
    assert (found.device_bytes - at_start_bytes(found)) / GIB == pytest.approx(free_gib, abs=0.03)


def test_pipeline_stages_are_connected_too() -> None:
    staged = replace(start(), pipeline_parallel=2)
    assert (staged.device_bytes - at_start_bytes(staged)) / GIB == pytest.approx(77.76, abs=0.11)


@pytest.mark.parametrize("settings", [{"version": "0.10"}, {"version": "0.6"}, {"generation": "V0"}])
def test_older_engines_look_first_and_count_it(settings: dict[str, str]) -> None:
    assert at_start_bytes(start(**settings)) == 0  # type: ignore[arg-type]


def test_hip_holds_a_third_of_a_gib() -> None:
    # "Free memory on device (191.36/191.69 GiB) on startup"
    assert at_start_bytes(start(platform="rocm")) / GIB == pytest.approx(191.69 - 191.36, abs=0.005)


@pytest.mark.parametrize(("version", "share"), [("0.13", 0.5), ("0.17", 0.5), ("0.18", 1), ("0.21", 0)])
def test_what_graphs_keep_is_all_since_the_engine_empties_torchs_cache(version: str, share: float) -> None:
    found = start(version=version)
    whole = graph_bytes(found.settings, found.facts)
    assert kept_graph_bytes(found) == pytest.approx(share * whole, abs=1)


def test_gpt_oss_captures_larger_batches() -> None:
    found = start(MXFP4)
    assert kept_graph_bytes(found) / GIB == pytest.approx(1.7, abs=0.15)  # 1.84 and 1.55 printed


@pytest.mark.parametrize(
    ("largest", "settings", "emptied_gib"),
    [
        pytest.param(786 * 2**20, {}, 2.02, id="logits of 1024 sequences find no place"),
        pytest.param(49 * 2**20, {}, 0, id="those of 64 do"),
        pytest.param(786 * 2**20, {"platform": "rocm"}, 0, id="nothing is laid out anew on ROCm"),
    ],
)
def test_experts_in_mxfp4_leave_parts_that_nobody_gets(
    largest: int, settings: dict[str, str], emptied_gib: float
) -> None:
    found = emptied_bytes(start(MXFP4, **settings), largest)  # type: ignore[arg-type]
    assert found is not None
    assert found / GIB == pytest.approx(emptied_gib, abs=0.005)


@pytest.mark.parametrize("model", [DENSE, MIXTURE])
def test_other_weights_stay_where_they_were_loaded(model: str) -> None:
    assert emptied_bytes(start(model), GIB) == 0
