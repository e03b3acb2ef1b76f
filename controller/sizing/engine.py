"""The inference engine's settings that memory depends on, and what its runtime takes whatever the model.

Figures are of published vLLM start logs (GiB, versions 0.9 to 0.19):

- *non-torch*: what the driver and the runtime hold outside torch's allocator. On ROCm, one GPU: 0.53 to 0.78, median
  0.62 (three starts; 0.25 on H100).
- *graphs*: captured HIP or CUDA graphs: 0.84 to 0.96 in the median whatever the model (0.51 to 1.9).

Sequences and batched tokens are vLLM's own defaults on a device below 70 GiB (256 and 2048), which is what a
partition is. A whole GPU started with no such setting profiles with 1024 and 8192 and takes 1 to 3 GiB more.
"""

from dataclasses import dataclass, replace

_GIB = 2**30

NON_TORCH_BYTES = 62 * _GIB // 100
PARALLEL_NON_TORCH_BYTES = 210 * _GIB // 100
"""With the buffers of the communication library: 2.06 to 2.21 at tensor parallel 2 and 4 (12 starts, H100)."""

GRAPH_BYTES = 90 * _GIB // 100

DEFAULT_SEQUENCES = 256
DEFAULT_BATCHED_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine is started. None takes what a start of ours would set; ``resolved`` leaves no None.

    ``kv_cache_dtype`` is ``auto`` (16 bit) or ``fp8``. ``gpu_memory_utilization`` is the engine's share of the
    partition's bytes, 0 to 1. ``version`` is the engine's, such as ``0.19``; "" is the newest known.
    """

    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    kv_cache_dtype: str = "auto"
    gpu_memory_utilization: float | None = None
    enforce_eager: bool = False
    block_size: int = 16
    version: str = ""

    @property
    def kv_element_bytes(self) -> int:
        """Bytes of one element in the KV cache."""
        return 1 if self.kv_cache_dtype.startswith("fp8") else 2


AS_WE_START_IT = EngineSettings()
"""Nothing said: every setting is the one of our profiles."""


def resolved(settings: EngineSettings, max_concurrency: int) -> EngineSettings:
    """Settings with sequences and batched tokens filled in."""
    return replace(
        settings,
        max_num_seqs=settings.max_num_seqs or max(max_concurrency, DEFAULT_SEQUENCES),
        max_num_batched_tokens=settings.max_num_batched_tokens or DEFAULT_BATCHED_TOKENS,
    )


def non_torch_bytes(tensor_parallel: int) -> int:
    """What the driver and the runtime hold outside torch's allocator, on one rank."""
    return NON_TORCH_BYTES if tensor_parallel == 1 else PARALLEL_NON_TORCH_BYTES


def graph_bytes(settings: EngineSettings) -> int:
    """Captured graphs, on one rank."""
    return 0 if settings.enforce_eager else GRAPH_BYTES
