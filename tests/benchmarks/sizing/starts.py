"""From a row to the start it tells of: its command line and device, never a figure that the engine printed.

What the row does not say is what vLLM would take: 0.9 of the device, its defaults by device and generation, the
model's own length. What cannot be taken so is the reason why a row is not predictable.
"""

from dataclasses import dataclass

from controller.sizing.budget import Start
from controller.sizing.engine import Device, EngineSettings, Platform, as_vllm_starts_it
from controller.sizing.facts import ModelFacts
from controller.sizing.precision import Precision
from tests.benchmarks.sizing.devices import gfx_version, multiprocessors, platform, total_gib
from tests.benchmarks.sizing.identity import Names, Unidentified, precision_of
from tests.benchmarks.sizing.observation import GIB, Observation

_UNBOUNDED_LENGTH = 8192
"""Tokens of the longest request of a model whose positions are not established."""


class NotPredictable(ValueError):
    """A row that cannot be a start; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Model:
    """What a row loads, on how many ranks."""

    facts: ModelFacts
    precision: Precision
    tensor_parallel: int
    pipeline_parallel: int


def model_of(row: Observation, names: Names) -> Model:
    """What the row loads. Raises NotPredictable."""
    try:
        facts = names.facts(row.model)
        precision = precision_of(row, facts)
    except Unidentified as error:
        raise NotPredictable(str(error)) from error
    if row.tensor_parallel is None:
        raise NotPredictable("tensor parallelism not said")
    return Model(facts, precision, row.tensor_parallel, row.pipeline_parallel or 1)


_CACHE_TYPES = {"": "auto", "bf16": "bfloat16", "fp16": "float16", "none": "auto", "default": "auto"}
"""What people write for the engine's words."""


def settings_of(row: Observation, precision: Precision) -> EngineSettings:
    """The settings the row says. Raises NotPredictable."""
    said = row.kv_cache_dtype.casefold()
    kv = _CACHE_TYPES.get(said, said)
    return EngineSettings(
        max_num_seqs=row.max_num_seqs,
        max_num_batched_tokens=row.max_num_batched_tokens,
        kv_cache_dtype="float32" if kv == "auto" and precision is Precision.FP32 else kv,
        gpu_memory_utilization=row.gpu_memory_utilization,
        enforce_eager=row.enforce_eager.casefold() == "true",
        version=row.engine_version,
        generation=row.engine_gen,
        platform=_platform(row),
    )


def _platform(row: Observation) -> Platform:
    found = platform(row.gpu, row.gpu_vendor)
    if found is None:
        raise NotPredictable("vendor of the device neither said nor known by its name")
    return found


def start_of(row: Observation, names: Names) -> Start:
    """The row's start. Raises NotPredictable."""
    if row.engine.casefold() != "vllm":
        raise NotPredictable(f"engine {row.engine or 'not said'}: its budget is not modelled")
    model = model_of(row, names)
    _check(row)
    total = row.gpu_total_gib or total_gib(row.gpu)
    if total is None:
        raise NotPredictable("memory of the device neither printed nor known by its name")
    device = Device(int(total * GIB), row.gpu, multiprocessors(row.gpu))
    length = row.max_model_len or model.facts.shape.max_position_embeddings or _UNBOUNDED_LENGTH
    settings = as_vllm_starts_it(settings_of(row, model.precision), device, length)
    return Start(
        facts=model.facts,
        precision=model.precision,
        settings=settings,
        device_bytes=device.total_bytes,
        max_model_len=length,
        tensor_parallel=model.tensor_parallel,
        pipeline_parallel=model.pipeline_parallel,
        engine_known=bool(row.engine_version or row.engine_gen),
        gfx_version=gfx_version(row.gpu) if settings.platform == "rocm" else None,
    )


_COUNTS = ("tensor_parallel", "pipeline_parallel", "max_model_len", "max_num_seqs", "max_num_batched_tokens")


def _check(row: Observation) -> None:
    """Raises NotPredictable for a setting that no engine takes."""
    for name in _COUNTS:
        value = getattr(row, name)
        if value is not None and value < 1:
            raise NotPredictable(f"{name} below 1")
    if row.gpu_memory_utilization is not None and not 0 < row.gpu_memory_utilization <= 1:
        raise NotPredictable("gpu_memory_utilization not between 0 and 1")
    if row.gpu_total_gib is not None and row.gpu_total_gib <= 0:
        raise NotPredictable("memory of the device below 0")
