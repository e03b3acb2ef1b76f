"""What an engine would find that starts with a profile of ours: the other direction of the same memory model."""

from collections import Counter
from dataclasses import replace
from functools import cache

from controller.gpu.product import product_named
from controller.profiles.aim_profile import AIMProfile
from controller.profiles.generator import AIMProfileGenerator
from controller.profiles.index import Emitted, Indexer
from controller.profiles.lists import wanted
from controller.sizing.budget import Start, budget
from controller.sizing.engine import EngineSettings
from controller.sizing.kv_pool import KvPool
from controller.sizing.requirement import DEFAULT_CONCURRENCY
from controller.sizing.verdict import Outcome, judge
from tests.builders.profile import CATALOG, SIZES

OLDER = ("0.19", "0.13", "0.10")
"""Graphs lie outside the budget of these, and below 0.17 activations are larger."""


def start_with(profile: AIMProfile) -> Start:
    """The command line of a profile, on the partitions it is for."""
    target, arguments = profile.target, dict(profile.engine_args)
    assert profile.model is not None
    numbers = {name: value for name, value in arguments.items() if isinstance(value, int)}
    utilization = arguments["gpu-memory-utilization"]
    assert isinstance(utilization, float)
    return Start(
        facts=CATALOG.get(profile.model.aim_id),
        precision=target.precision,
        settings=EngineSettings(
            max_num_seqs=numbers["max-num-seqs"],
            max_num_batched_tokens=numbers["max-num-batched-tokens"],
            gpu_memory_utilization=utilization,
        ),
        device_bytes=product_named(target.gpu).partition_bytes(target.mode),
        max_model_len=numbers["max-model-len"],
        tensor_parallel=numbers["tensor-parallel-size"],
    )


@cache
def starts() -> tuple[Start, ...]:
    """Every start of the profiles of AIM's catalogue, each once."""
    indexer = Indexer(CATALOG, AIMProfileGenerator(SIZES))
    rows = [indexer.row(one) for one in wanted("aim_catalogue")]
    found = [profile for row in rows if isinstance(row.outcome, Emitted) for profile in row.outcome.profiles]
    # memory modes and products of one size start alike
    distinct = {_key(start): start for start in map(start_with, found)}
    return tuple(distinct.values())


def _key(start: Start) -> tuple[object, ...]:
    return start.facts.model_id, start.settings, start.device_bytes, start.tensor_parallel


def test_no_start_with_a_profile_fails_and_nearly_all_are_safe() -> None:
    outcomes = Counter(judge(start).outcome for start in starts())
    assert len(starts()) > 500
    assert outcomes[Outcome.FAILS] == 0
    assert outcomes[Outcome.SAFE] >= 0.97 * len(starts())


def test_the_cache_holds_what_was_counted() -> None:
    for start in starts():
        pool = KvPool.of(start.facts, start.settings, start.tensor_parallel)
        counted = pool.bytes_for(start.max_model_len, DEFAULT_CONCURRENCY)
        assert budget(start).kv_cache_bytes >= counted, start.facts.model_id


def test_older_engines_start_with_them_too() -> None:
    older = [
        replace(start, settings=replace(start.settings, version=version)) for start in starts() for version in OLDER
    ]
    assert [start.facts.model_id for start in older if judge(start).outcome is Outcome.FAILS] == []
