"""Whether the engine refuses a start for its command line, before any memory is counted.

Each rule is a check that vLLM makes at start (``vllm/config``: the model's, the cache's and the parallel settings;
``platforms/rocm.py``), or a device that it has no kernels for (``engine_support.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass

from controller.gpu.product import PRODUCTS
from controller.sizing.budget import Start
from controller.sizing.engine_support import ENGINE_PRODUCTS, runs
from controller.sizing.estimate import MAX_TENSOR_PARALLEL
from controller.sizing.tensor_parallel import possible_ranks, undivided

CACHE_TYPES = (
    "auto",
    "float16",
    "bfloat16",
    "float32",
    "fp8",
    "fp8_e4m3",
    "fp8_e5m2",
    "fp8_inc",
    "fp8_ds_mla",
    "fp8_per_token_head",
    "int8_per_token_head",
    "nvfp4",
)
"""Types of the KV cache that some release of vLLM takes (``CacheDType``), and float32, which computing in it leaves."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """``reason`` is a CamelCase word, ``text`` says what is wrong, ``remedy`` what to write instead."""

    reason: str
    text: str
    remedy: str


def refusal(start: Start) -> Refusal | None:
    """Why the engine would not even load the model; None when nothing is known against it."""
    for rule in _RULES:
        if found := rule(start):
            return found
    return None


def _device(start: Start) -> Refusal | None:
    gfx = start.gfx_version
    if gfx is None:
        return None
    if gfx < min(product.gfx_version for product in ENGINE_PRODUCTS):
        able = ", ".join(product.name for product in ENGINE_PRODUCTS)
        return Refusal("DeviceNotSupported", "the engine has no kernels for so old a device", f"use one of {able}")
    alike = [product for product in PRODUCTS.values() if product.gfx_version == gfx]
    if all(runs(product, start.precision) for product in alike):
        return None
    able = ", ".join(product.name for product in ENGINE_PRODUCTS if runs(product, start.precision))
    text = f"the device has no {start.precision} in its hardware"
    return Refusal("PrecisionNotSupported", text, f"serve the model in 16 bit, or use one of {able}")


def _ranks(start: Start) -> Refusal | None:
    problem = undivided(start.facts, start.precision, start.tensor_parallel)
    if problem is None:
        return None
    possible = possible_ranks(start.facts, start.precision, MAX_TENSOR_PARALLEL)
    return Refusal("NotDivisible", problem, f"use {' or '.join(map(str, possible))} ranks of tensor parallelism")


def _stages(start: Start) -> Refusal | None:
    layers = start.facts.shape.num_hidden_layers
    if start.pipeline_parallel <= layers:
        return None
    text = f"{start.pipeline_parallel} pipeline stages are more than the model has layers"
    return Refusal("MoreStagesThanLayers", text, f"use at most {layers} stages")


def _length(start: Start) -> Refusal | None:
    """A table of rotary positions that is longer than the positions says that the checkpoint scales them itself."""
    shape = start.facts.shape
    if shape.max_position_embeddings is None:
        return None
    limit = max(shape.max_position_embeddings, shape.rope_rows or 0)
    if start.max_model_len <= limit:
        return None
    text = f"{start.max_model_len} tokens are more than the model has positions for"
    remedy = f"use at most {limit}, or tell the engine to scale its positions (hf-overrides)"
    return Refusal("LengthTooLong", text, remedy)


def _batch(start: Start) -> Refusal | None:
    """``SchedulerConfig.verify_max_model_len`` (``vllm/config/scheduler.py``; ``_verify_args`` in older releases)."""
    sequences, tokens = start.settings.max_num_seqs or 0, start.settings.max_num_batched_tokens or 0
    if tokens >= sequences:
        return None
    text = f"max_num_batched_tokens ({tokens}) is less than max_num_seqs ({sequences})"
    remedy = f"use at least {sequences} batched tokens, or at most {tokens} sequences"
    return Refusal("BatchTooSmall", text, remedy)


def _cache_type(start: Start) -> Refusal | None:
    kind = start.settings.kv_cache_dtype
    if kind in CACHE_TYPES or kind.startswith("turboquant"):
        return None
    text = f"the engine has no KV cache of type {kind!r}"
    return Refusal("UnknownCacheType", text, f"use one of {', '.join(CACHE_TYPES)}")


_RULES: tuple[Callable[[Start], Refusal | None], ...] = (_device, _ranks, _stages, _length, _batch, _cache_type)
