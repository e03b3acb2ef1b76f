"""The inference engine's settings that memory depends on, and what its runtime takes whatever the model.

vLLM is asked for one number, ``requested = device bytes x gpu_memory_utilization``, and its KV cache gets what is
left of it (``vllm/v1/worker/gpu_worker.py``, ``determine_available_memory``; in V0 ``vllm/worker/worker.py``,
``determine_num_available_blocks``)::

    KV = requested - weights - activation peak - non-torch [- graphs, by version]

Here are the settings, vLLM's own defaults, non-torch and graphs; ``activation.py`` has the peak.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from controller.gpu.mode import Mode
from controller.gpu.product import Product
from controller.sizing.engine_constants import CONSTANTS, GIB, EngineConstants
from controller.sizing.engine_version import DEFAULT_IMAGES_RELEASE, EngineVersion, Generation
from controller.sizing.facts import ModelFacts

DEFAULT_SEQUENCES = 256
DEFAULT_BATCHED_TOKENS = 2048

LARGE_DEVICE_BYTES = 70 * GIB
"""From here on vLLM's server takes larger batches (``vllm/engine/arg_utils.py``, ``get_batch_defaults``)."""

_LARGE_DEVICE_SEQUENCES = 1024
_LARGE_DEVICE_TOKENS = 8192
_LARGE_DEVICE_TOKENS_SINCE_028 = 16_384
"""Twice as many since vllm-project/vllm pull request 51726 of 10 August 2026, a day before 0.27 was out, taken as 0.28:
ROCm/MAD pull request 235 meets them on the day of that release."""

DEFAULT_UTILIZATION = 0.9
"""vLLM's ``gpu_memory_utilization`` when it is not set."""

Platform: TypeAlias = Literal["rocm", "cuda"]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine is started. None takes what a start of ours would set; ``resolved`` leaves no None.

    ``kv_cache_dtype`` is ``auto`` (16 bit), ``fp8`` or ``float32``. ``gpu_memory_utilization`` is the engine's share of
    the partition's bytes, 0 to 1. ``version`` is the engine's, such as ``0.19``; "" is the newest known.
    ``generation`` is "" where it follows from the version. ``multiprocessors`` are those of the device, compute units
    on AMD ones, None where no device is known. ``quantization`` is "fp8" where the engine makes fp8 weights of 16-bit
    ones as it loads them, "" where it loads what it computes with.
    """

    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: str = "auto"
    gpu_memory_utilization: float | None = None
    enforce_eager: bool = False
    block_size: int = 16
    version: str = ""
    generation: str = ""
    platform: Platform = "rocm"
    multiprocessors: int | None = None
    quantization: Literal["", "fp8"] = ""

    @property
    def kv_element_bytes(self) -> int:
        """Bytes of one element in the KV cache."""
        if self.kv_cache_dtype == "float32":
            return 4
        return 1 if self.kv_cache_dtype.startswith(("fp8", "int8")) else 2

    @property
    def engine_version(self) -> EngineVersion:
        """The version, read."""
        return EngineVersion.parse(self.version, self.generation)


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU or a partition, by the bytes the driver says it has. ``multiprocessors``: None where not known."""

    total_bytes: int
    name: str = ""
    multiprocessors: int | None = None

    @classmethod
    def of(cls, product: Product, mode: Mode) -> "Device":
        """A partition of a product. Raises ModeError when it has not got the mode, or no established memory."""
        return cls(product.partition_bytes(mode), product.name, product.partition_compute_units(mode))


AS_WE_START_IT = EngineSettings()
"""Nothing said: every setting is the one of our profiles."""


def resolved(settings: EngineSettings, max_concurrency: int) -> EngineSettings:
    """Settings with sequences and batched tokens filled in, as on a device below 70 GiB, which a partition is.

    A batch has a token for each sequence at least: vLLM refuses fewer (``refusal.py``).
    """
    sequences = settings.max_num_seqs or max(max_concurrency, DEFAULT_SEQUENCES)
    return replace(
        settings,
        max_num_seqs=sequences,
        max_num_batched_tokens=settings.max_num_batched_tokens or max(sequences, DEFAULT_BATCHED_TOKENS),
    )


def in_default_image(settings: EngineSettings) -> EngineSettings:
    """Settings of our default image's engine where no version is told."""
    return settings if settings.version else replace(settings, version=DEFAULT_IMAGES_RELEASE)


def as_vllm_starts_it(settings: EngineSettings, device: Device, max_model_len: int) -> EngineSettings:
    """Settings with vLLM's own defaults for a server on such a device.

    V1 goes by the device's size, with the A100 among the small ones; up to 0.8.4 it took 1024 sequences on any
    (vllm-project/vllm pull request 16158). V0 takes 256 and profiles with a prompt of the longest request, or with
    2048 tokens where that is longer than 32,768: it reads those in chunks. Sequences that nobody asked for are no more
    than the batch has tokens.
    """
    sequences, tokens = DEFAULT_SEQUENCES, DEFAULT_BATCHED_TOKENS
    if settings.engine_version.generation is Generation.V0:
        tokens = DEFAULT_BATCHED_TOKENS if max_model_len > _LONG_PROMPT else max(max_model_len, DEFAULT_BATCHED_TOKENS)
    else:
        if device.total_bytes >= LARGE_DEVICE_BYTES and "a100" not in device.name.casefold():
            doubled = settings.engine_version.since(0, 28)
            tokens = _LARGE_DEVICE_TOKENS_SINCE_028 if doubled else _LARGE_DEVICE_TOKENS
            sequences = _LARGE_DEVICE_SEQUENCES
        if not settings.engine_version.since(0, 8, 5):
            sequences = _LARGE_DEVICE_SEQUENCES
    utilization = settings.gpu_memory_utilization
    batch = settings.max_num_batched_tokens or tokens
    return replace(
        settings,
        max_num_seqs=settings.max_num_seqs or min(sequences, batch),
        max_num_batched_tokens=batch,
        gpu_memory_utilization=DEFAULT_UTILIZATION if utilization is None else utilization,
        multiprocessors=settings.multiprocessors or device.multiprocessors,
    )


_LONG_PROMPT = 32_768
"""Tokens beyond which V0 turns chunked prefill on by itself (``vllm/engine/arg_utils.py`` of 0.4 to 0.8)."""


def tokens_in_flight(settings: EngineSettings) -> int:
    """Tokens that are being read at once, of resolved settings: what a window keeps beside itself.

    One batch; two since the scheduler runs ahead of the device and windows are freed behind it only (vllm-project/vllm
    pull request 47728 of July 2026, taken as 0.26; issue 54703 shows 32,768 for batches of 16,384).
    """
    batch = settings.max_num_batched_tokens or DEFAULT_BATCHED_TOKENS
    return 2 * batch if settings.engine_version.since(0, 26) else batch


def non_torch_bytes(settings: EngineSettings, tensor_parallel: int, constants: EngineConstants = CONSTANTS) -> int:
    """What the driver, the runtime and the communication library hold outside torch's allocator, on one rank."""
    version = settings.engine_version
    if settings.platform == "rocm":
        alone = constants.non_torch_rocm
    else:
        alone = constants.non_torch_cuda_since_018 if version.since(0, 18) else constants.non_torch_cuda
    if tensor_parallel == 1:
        return alone
    fused = settings.platform == "cuda" and version.since(0, 14)
    return alone + (constants.collectives_since_014 if fused else constants.collectives)


def graph_bytes(settings: EngineSettings, facts: ModelFacts, constants: EngineConstants = CONSTANTS) -> int:
    """Captured HIP or CUDA graphs, on one rank. They are of the layers, not of their width: no rank has fewer.

    From 0.18 on ``capture_model`` gives torch's cache back before it measures, and all of the pool shows: it is as
    large as the largest batch that is captured.
    """
    if settings.enforce_eager:
        return 0
    usual = constants.graphs_fixed + constants.graphs_per_layer * facts.shape.num_hidden_layers
    if not settings.engine_version.since(0, 18):
        return usual
    return usual * _LARGEST_CAPTURED.get(facts.shape.architecture, _USUALLY_CAPTURED) // _USUALLY_CAPTURED


_USUALLY_CAPTURED = 512
_LARGEST_CAPTURED: Mapping[str, int] = MappingProxyType({"gpt_oss": 1024})
"""Tokens of the largest batch that has graphs, where an architecture has a default of its own:
``GptOssForCausalLMConfig`` in ``vllm/model_executor/models/config.py`` sets ``max_cudagraph_capture_size`` to 1024,
which are 83 sizes for 51. gpt-oss-20b printed 1.84 and 1.55 GiB with 0.19, where the line of other models says 0.79."""


def graphs_within_budget(settings: EngineSettings) -> bool:
    """Whether graphs are taken off before the KV cache gets the rest; else they must fit beside the budget.

    CUDA: from 0.21 (``profile_cudagraph_memory``; 0.19 only on request). ROCm was left out of that at first; a start of
    0.31 with the second model runner deducts them.
    """
    version = settings.engine_version
    return version.since(0, 21) if settings.platform == "cuda" else version.since(0, 31)
