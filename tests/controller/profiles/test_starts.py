"""What an engine would find that starts with a profile of ours: the other direction of the same memory model."""

from dataclasses import replace
from functools import cache

import pytest

from controller.gpu.product import product_named
from controller.profiles.aim_profile import AIMProfile
from controller.profiles.generator import AIMProfileGenerator
from controller.profiles.index import Emitted, Indexer
from controller.profiles.lists import LISTS, wanted
from controller.sizing.budget import Start, budget
from controller.sizing.engine import Device, EngineSettings, as_vllm_starts_it
from controller.sizing.engine_version import DEFAULT_IMAGES_RELEASE
from controller.sizing.kv_pool import KvPool
from controller.sizing.requirement import DEFAULT_CONCURRENCY
from controller.sizing.verdict import Outcome, judge
from tests.builders.profile import CATALOG, SIZES

OLDER, NEWER = "0.13", "0.31"
"""Below 0.17 activations are larger. From 0.31 on graphs are within the share, and where a model fits barely the cache
has so much less."""


def start_with(profile: AIMProfile) -> Start:
    """The command line of a profile, on the partitions it is for."""
    target, arguments = profile.target, dict(profile.engine_args)
    assert profile.model is not None
    numbers = {name: value for name, value in arguments.items() if isinstance(value, int)}
    utilization = arguments["gpu-memory-utilization"]
    assert isinstance(utilization, float)
    product = product_named(target.gpu)
    device = Device.of(product, target.mode)
    asked = EngineSettings(
        max_num_seqs=numbers["max-num-seqs"],
        max_num_batched_tokens=numbers["max-num-batched-tokens"],
        gpu_memory_utilization=utilization,
        version=DEFAULT_IMAGES_RELEASE,
    )
    return Start(
        facts=CATALOG.get(profile.model.aim_id),
        precision=target.precision,
        settings=as_vllm_starts_it(asked, device, numbers["max-model-len"]),
        device_bytes=device.total_bytes,
        max_model_len=numbers["max-model-len"],
        tensor_parallel=numbers["tensor-parallel-size"],
        gfx_version=product.gfx_version,
    )


@cache
def profiles() -> tuple[AIMProfile, ...]:
    """Every profile of both lists."""
    indexer = Indexer(CATALOG, AIMProfileGenerator(SIZES))
    rows = [indexer.row(one) for name in LISTS for one in wanted(name)]
    return tuple(profile for row in rows if isinstance(row.outcome, Emitted) for profile in row.outcome.profiles)


@cache
def starts() -> tuple[Start, ...]:
    """Every start of those profiles, each once."""
    # memory modes start alike, and lists share models
    return tuple({_key(start): start for start in map(start_with, profiles())}.values())


def _key(start: Start) -> tuple[object, ...]:
    named = start.facts.model_id, start.precision, start.device_bytes, start.tensor_parallel
    return *named, start.settings, start.gfx_version


def unsafe(version: str) -> dict[tuple[str, int, int], tuple[Outcome, str]]:
    """By model, MiB of a partition and ranks."""
    found: dict[tuple[str, int, int], tuple[Outcome, str]] = {}
    for start in starts():
        verdict = judge(replace(start, settings=replace(start.settings, version=version)))
        if verdict.outcome is not Outcome.SAFE:
            key = start.facts.model_id, start.device_bytes >> 20, start.tensor_parallel
            found[key] = verdict.outcome, verdict.reason
    return found


def test_every_start_with_a_profile_is_safe_in_the_default_image() -> None:
    assert len(starts()) > 2000
    assert unsafe(DEFAULT_IMAGES_RELEASE) == {}


def test_no_profile_says_that_its_start_is_doubtful() -> None:
    assert [profile.path for profile in profiles() if "Such a start" in profile.to_yaml()] == []


def test_the_cache_holds_what_was_counted() -> None:
    for start in starts():
        pool = KvPool.of(start.facts, start.settings, start.tensor_parallel)
        counted = pool.bytes_for(start.max_model_len, DEFAULT_CONCURRENCY)
        assert budget(start).kv_cache_bytes >= counted, start.facts.model_id


SPREAD = (Outcome.AT_RISK, "WithinStartSpread")
QWEN, VISION, THINKING = "Qwen/Qwen3-235B-A22B", "Qwen/Qwen3-VL-235B-A22B-Instruct", "Qwen/Qwen3-VL-235B-A22B-Thinking"


@pytest.mark.parametrize(
    ("version", "want"),
    [
        (OLDER, {(model, mib, 4) for model in (QWEN, VISION, THINKING) for mib in (131_064, 131_072)}
         | {(model, 73_724, 8) for model in (VISION, THINKING)}),
        (NEWER, {(QWEN, 65_520, 4), ("mistralai/Mistral-Large-Instruct-2407", 21_845, 8),
                 ("openai/gpt-oss-20b", 21_845, 1)}),
    ],
)  # fmt: skip
def test_in_other_images_these_are_at_risk_and_all_others_safe(version: str, want: set[tuple[str, int, int]]) -> None:
    assert unsafe(version) == dict.fromkeys(want, SPREAD)
