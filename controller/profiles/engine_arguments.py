"""vLLM's settings for a model on a partition: those its memory was counted with, and none left to a default.

vLLM's defaults follow the device (``vllm/engine/arg_utils.py``, ``get_batch_defaults``): a server on 70 GiB or more
takes 8192 batched tokens and 1024 sequences, one on a smaller device 2048 and 256. From one command line a partition
would so start otherwise than a card; ours say everything.

*Latency* starts with just the settings that the model's need was counted with. *Throughput* may use what the partition
has left: 8192 batched tokens, and a large device's 1024 sequences on a large one, as long as the whole fits even where
a start turns out to need more than was counted, by as much as starts of one setup differ.
"""

from dataclasses import dataclass, replace
from typing import Final

from controller.profiles.aim_profile import Argument, Metric
from controller.sizing.engine import EngineSettings, graphs_within_budget, in_default_image
from controller.sizing.margin import start_spread_bytes
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest

LARGE_DEVICE_BYTES: Final = 70 << 30
"""From here on vLLM takes a device for a large one."""

LARGER_BATCHES: Final = ((1024, 8192), (256, 8192), (256, 4096))
"""Sequences and batched tokens to try for throughput, those of a large device first."""

USUAL_UTILIZATION: Final = 0.95
"""The share the engine plans with where there is memory to spare. At 0.95 starts were seen to die in the sampler's
warm-up, after the KV cache was reserved (two of gpt-oss-20b, vLLM 0.19), so never more unless the model needs it."""

SCHEDULING_POLICY: Final = "priority"
"""The gateway tells engines a request's class as its priority, and vLLM answers 400 to one that it was not started
for. Requests of one priority are served as they come, so that without the gateway nothing is different."""

_DTYPES: Final = {Precision.BF16: "bfloat16", Precision.FP16: "float16", Precision.FP32: "float32"}


@dataclass(frozen=True, slots=True)
class Room:
    """The memory a rank has: a partition of ``bytes``, its own or shared with others that keep to their part."""

    bytes: int
    cooperative: bool = False


def sizing_in(room: Room, sizes: ModelSizingConfig, request: SizingRequest, metric: Metric) -> Sizing:
    """The need of ``request`` with the settings for that metric, as they are where it has that room.

    Does not ask whether it fits. Raises what ``ModelSizingConfig.size`` raises.
    """
    counted = sizes.size(request)
    if metric is Metric.THROUGHPUT and not room.cooperative:
        batches = LARGER_BATCHES if room.bytes >= LARGE_DEVICE_BYTES else LARGER_BATCHES[1:]
        for sequences, tokens in batches:
            larger = sizes.size(replace(request, engine=_at_least(counted.engine, sequences, tokens)))
            if larger.uncertainty.high_bytes <= room.bytes and _has_all_sequences(larger, room, sizes, request):
                return larger
    return _with_fewer_sequences(counted, room, sizes, request)


def _with_fewer_sequences(counted: Sizing, room: Room, sizes: ModelSizingConfig, request: SizingRequest) -> Sizing:
    """As counted, with as many sequences as have a place in the cache, but no fewer than are asked for at once."""
    sizing = counted
    while not _has_all_sequences(sizing, room, sizes, request):
        sequences = sizing.engine.max_num_seqs or sizing.max_concurrency
        if sequences <= sizing.max_concurrency:
            break
        fewer = replace(sizing.engine, max_num_seqs=max(sequences // 2, sizing.max_concurrency))
        sizing = sizes.size(replace(request, engine=fewer))
    return sizing


def _has_all_sequences(sizing: Sizing, room: Room, sizes: ModelSizingConfig, request: SizingRequest) -> bool:
    """Whether the cache has a place for each of ``max_num_seqs`` sequences, however short.

    Recurrent layers keep a state of each, and vLLM does not start with fewer places than sequences ("max_num_seqs
    exceeds available Mamba cache blocks"). For other layers a short sequence is next to nothing.
    """
    shortest = replace(request, max_model_len=1, max_concurrency=sizing.engine.max_num_seqs, engine=sizing.engine)
    least = sizes.size(shortest)
    return least.total_bytes - least.margin_bytes <= memory_utilization(sizing, room) * room.bytes


def engine_arguments(sizing: Sizing, room: Room) -> tuple[tuple[str, Argument], ...]:
    """The engine's arguments by option. ``sizing`` fits into the room."""
    engine = sizing.engine
    arguments: dict[str, Argument] = {
        "dtype": _DTYPES.get(sizing.precision, "auto"),
        "gpu-memory-utilization": memory_utilization(sizing, room),
        # auto is the type that the model is computed in
        "kv-cache-dtype": engine.kv_cache_dtype if engine.kv_cache_dtype.startswith("fp8") else "auto",
        "max-model-len": sizing.max_model_len,
        "max-num-batched-tokens": engine.max_num_batched_tokens,
        "max-num-seqs": engine.max_num_seqs,
        "scheduling-policy": SCHEDULING_POLICY,
        "tensor-parallel-size": sizing.tensor_parallel,
    }
    if engine.quantization:
        arguments["quantization"] = engine.quantization
    if room.cooperative:
        arguments["kv-cache-memory-bytes"] = sizing.kv_cache_bytes
    return tuple(arguments.items())


def memory_utilization(sizing: Sizing, room: Room) -> float:
    """The engine's share of the partition, in steps of a ten-thousandth: some MiB.

    It holds weights, activations, non-torch and the counted KV cache, and the graphs, too, which newer engines take
    from it (``engine.graphs_within_budget``). Alone on its partition the engine gets more, for more cache: all but the
    margin and the graphs once more, which older engines capture beside it. Where there is not room for all that, what
    the default image's engine must find beside the share comes first (``Sizing.beside_bytes``), then a cache that holds
    the longest request whatever starts differ by. A sharer gets no more than its need: vLLM refuses to start when less
    than the share is free.
    """
    counted = sizing.total_bytes - sizing.margin_bytes
    if room.cooperative:
        return _ceil_share(counted, room.bytes)
    within = graphs_within_budget(in_default_image(sizing.engine))
    least = _ceil_share(counted - (0 if within else sizing.graph_bytes), room.bytes)
    roomy = _floor_share(room.bytes - sizing.margin_bytes - sizing.graph_bytes, room.bytes)
    steady = _ceil_share(counted + _missing_for_spread(sizing), room.bytes)
    wanted = max(steady, min(USUAL_UTILIZATION, roomy))
    return max(least, min(wanted, _floor_share(room.bytes - sizing.beside_bytes, room.bytes)))


_STEPS: Final = 10_000


def _missing_for_spread(sizing: Sizing) -> int:
    """What the counted cache lacks to hold one request where a start gets as much less as starts differ by."""
    beyond_one = sizing.kv_cache_bytes - sizing.kv_cache_bytes // sizing.max_concurrency
    return max(0, start_spread_bytes(sizing.engine.platform) - beyond_one)


def _at_least(engine: EngineSettings, sequences: int, tokens: int) -> EngineSettings:
    return replace(
        engine,
        max_num_seqs=max(engine.max_num_seqs or 0, sequences),
        max_num_batched_tokens=max(engine.max_num_batched_tokens or 0, tokens),
    )


def _floor_share(part: int, whole: int) -> float:
    return part * _STEPS // whole / _STEPS


def _ceil_share(part: int, whole: int) -> float:
    return -(-part * _STEPS // whole) / _STEPS
