"""Verdicts on starts whose end is known; sources: tests/data/engine-memory/README.md."""

from dataclasses import replace

import pytest

from controller.sizing.budget import Start
from controller.sizing.catalog import Catalog
from controller.sizing.engine import Device, EngineSettings, as_vllm_starts_it
from controller.sizing.engine_constants import CONSTANTS
from controller.sizing.precision import Precision
from controller.sizing.verdict import Outcome, judge

CATALOG = Catalog.bundled()
GIB = 2**30
H100 = Device(int(79.19 * GIB), "NVIDIA H100")
R9700 = Device(int(31.86 * GIB), "AMD Radeon AI PRO R9700")


def start(model: str, device: Device, *, length: int = 8192, ranks: int = 1, **settings: object) -> Start:
    platform = "cuda" if "NVIDIA" in device.name else "rocm"
    asked = EngineSettings(platform=platform, **settings)  # type: ignore[arg-type]
    facts = CATALOG.get(model)
    native = facts.checkpoint.quantization
    return Start(
        facts=facts,
        precision=Precision(native.method) if native else Precision.BF16,
        settings=as_vllm_starts_it(asked, device, length),
        device_bytes=device.total_bytes,
        max_model_len=length,
        tensor_parallel=ranks,
    )


def test_a_small_model_on_a_large_device_is_safe() -> None:
    verdict = judge(start("meta-llama/Llama-3.1-8B-Instruct", H100, version="0.19"))
    assert (verdict.outcome, verdict.reason) == (Outcome.SAFE, "")
    assert verdict.spare_bytes / GIB == pytest.approx(53.1, abs=0.5)


def test_weights_that_fill_the_budget_fail() -> None:
    # 71.3 GiB asked for, 67.7 of weights, 4.8 of activations: "-1.44 GiB remaining"
    facts = start("meta-llama/Llama-3.3-70B-Instruct", H100, version="0.11")
    verdict = judge(replace(facts, precision=Precision.FP8))
    assert (verdict.outcome, verdict.reason) == (Outcome.FAILS, "NothingLeft")
    assert verdict.spare_bytes / GIB == pytest.approx(-1.44, abs=0.1)


@pytest.mark.parametrize(
    ("length", "outcome", "reason"),
    [(16_000, Outcome.SAFE, ""), (32_000, Outcome.FAILS, "LongestRequestDoesNotFit")],
)
def test_the_longest_request_must_fit(length: int, outcome: Outcome, reason: str) -> None:
    # both starts are on record: 4.45 GiB for KV at either length
    verdict = judge(start("Qwen/Qwen3-32B", H100, length=length, version="0.11"))
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("utilization", "ranks", "outcome"),
    [(0.95, 1, Outcome.AT_RISK), (0.95, 2, Outcome.AT_RISK), (0.9, 2, Outcome.SAFE)],
)
def test_experts_laid_out_anew_need_room_beside_the_budget(utilization: float, ranks: int, outcome: Outcome) -> None:
    gpt = start("openai/gpt-oss-20b", H100, ranks=ranks, version="0.19", gpu_memory_utilization=utilization)
    assert judge(gpt).outcome is outcome


def test_experts_laid_out_anew_are_not_called_safe_while_nobody_has_measured_what_that_takes() -> None:
    gpt = start("openai/gpt-oss-20b", H100, version="0.19", gpu_memory_utilization=0.9)
    verdict = judge(gpt, replace(CONSTANTS, emptied=None))
    assert (verdict.outcome, verdict.reason) == (Outcome.AT_RISK, "NobodyMeasured")


def test_a_mixture_whose_experts_stay_as_they_are_is_safe_with_as_many_sequences() -> None:
    scout = start(
        "meta-llama/Llama-4-Scout-17B-16E-Instruct", H100, ranks=4, version="0.19", gpu_memory_utilization=0.95
    )
    assert judge(scout).outcome is Outcome.SAFE


@pytest.mark.parametrize(("version", "outcome"), [("0.17", Outcome.SAFE), ("0.18", Outcome.AT_RISK)])
def test_hip_graphs_keep_all_their_memory_since_torchs_cache_is_emptied(version: str, outcome: Outcome) -> None:
    # two hundredths of 31.86 GiB beside the budget, 0.91 of graphs
    llama = start("meta-llama/Llama-3.1-8B-Instruct", R9700, version=version, gpu_memory_utilization=0.98)
    assert judge(llama).outcome is outcome


@pytest.mark.parametrize(("utilization", "reason"), [(0.99, ""), (0.995, "LessFreeThanAsked")])
def test_what_is_asked_for_must_be_free_when_the_engine_looks(utilization: float, reason: str) -> None:
    # 78.68 of 79.19 GiB are; the share of 0.99 is 78.4
    eager = start("Qwen/Qwen3-8B", H100, version="0.19", gpu_memory_utilization=utilization, enforce_eager=True)
    assert judge(eager).reason == reason


@pytest.mark.parametrize(("ranks", "outcome"), [(1, Outcome.SAFE), (2, Outcome.AT_RISK)])
def test_ranks_need_more_room_beside_the_budget(ranks: int, outcome: Outcome) -> None:
    gpt = start("openai/gpt-oss-20b", R9700, ranks=ranks, version="0.13", gpu_memory_utilization=0.98, max_num_seqs=64)
    assert judge(gpt).outcome is outcome


@pytest.mark.parametrize(
    ("sequences", "outcome", "reason"),
    [(1024, Outcome.FAILS, "MoreSequencesThanStates"), (512, Outcome.SAFE, "")],
)
def test_each_sequence_of_a_recurrent_model_needs_a_block(sequences: int, outcome: Outcome, reason: str) -> None:
    # vllm-project/recipes 551: 856 blocks, and it starts with 512
    hybrid = start(
        "Qwen/Qwen3.6-27B-FP8",
        H100,
        length=262_144,
        version="0.22",
        gpu_memory_utilization=0.95,
        max_num_seqs=sequences,
    )
    verdict = judge(hybrid)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_little_more_than_one_request_is_a_risk_on_rocm() -> None:
    longest = start("meta-llama/Llama-3.1-8B-Instruct", Device(24 * GIB), length=32_768, version="0.13")
    verdict = judge(longest)
    assert (verdict.outcome, verdict.reason) == (Outcome.AT_RISK, "WithinStartSpread")


def test_an_engine_of_which_nothing_is_known_is_not_vouched_for() -> None:
    known = start("Qwen/Qwen3-8B", H100)
    assert judge(known).outcome is Outcome.SAFE
    verdict = judge(replace(known, engine_known=False))
    assert (verdict.outcome, verdict.reason) == (Outcome.AT_RISK, "EngineUnknown")


def test_an_unknown_engine_does_not_hide_what_fails_with_any() -> None:
    large = replace(start("Qwen/Qwen3-32B", R9700), engine_known=False)
    assert judge(large).outcome is Outcome.FAILS


def test_refused_settings_fail_before_anything_is_counted() -> None:
    verdict = judge(start("Qwen/Qwen3-8B", H100, ranks=3))
    assert (verdict.outcome, verdict.reason, verdict.spare_bytes) == (Outcome.FAILS, "NotDivisible", 0)
    assert "use 1 or 2" in verdict.remedy
