"""The few figures of vLLM's memory that no formula gives. Each has a mechanism; each was estimated from start logs.

The logs are the rows of ``tests/data/engine-memory/observations.csv`` (its README names their origins); the estimate
is the median weighed by source, as one author's sweep of 33 rows says no more than another's single log.
Rows whose release is not known say nothing about a release's constant. ``make bench
NAME=sizing`` estimates them again, also without each class of models in turn, and says how far they move.
"""

from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, slots=True)
class EngineConstants:
    """Bytes unless said otherwise. All are of one rank."""

    sorting_sampler_bytes: float = 38.0
    """For each logit of the profile run, up to vLLM 0.16 and in V0: the logits in 16 bit (2) and float32 (4), sorted
    values and 64-bit indices (12), their doubles in the radix sort (12), softmax and running sum (8): 38. Seen in 14
    starts with vocabularies of 50,000 to 201,000 and 256 or 1024 sequences: 37.0 to 38.1."""

    masking_sampler_bytes: float = 14.1
    """The same from vLLM 0.17, whose Triton kernel masks without sorting (vllm-project/vllm pull request 33538): logits
    in 16 bit (2) and float32 (4), softmax (4), exponential noise (4): 14. Seen in 31 starts: 13.9 to 14.4. The
    kernel's own buffer is counted apart."""

    non_torch_cuda: int = 13 * GIB // 100
    """Context, libraries' handles and attention workspaces outside torch's allocator, CUDA, up to vLLM 0.17."""

    non_torch_cuda_since_018: int = 25 * GIB // 100
    """The same from 0.18: in a sweep of one model all else equal it rose by 0.12 there."""

    non_torch_rocm: int = 57 * GIB // 100
    """The same on ROCm, where HIP's context and the BLAS libraries take more: 0.53 to 0.78 in three starts, and what is
    left over in 16 starts of which the other terms are known: 0.4 to 0.6."""

    collectives: int = 41 * GIB // 100
    """More with tensor parallelism: channels of NCCL or RCCL and the buffers of the custom all-reduce, up to 0.13
    (H100, TP 2: 0.54 against 0.13)."""

    collectives_since_014: int = 185 * GIB // 100
    """The same on CUDA once all-reduces are fused by FlashInfer and symmetric memory is registered (on by default
    between 0.12 and 0.19, taken as 0.14): 2.06 to 2.21 against 0.25 in 12 starts, TP 2 and 4 alike."""

    graphs_fixed: int = 43 * GIB // 100
    """Captured graphs, whatever the model: their memory pool and the driver's own."""

    graphs_per_layer: int = 15 * GIB // 1000
    """Captured graphs, for each layer: nodes of about a hundred graphs (51 batch sizes, whole and in pieces). The line
    is of one setup (0.19, H100), from 8 layers (0.51 GiB) to 80 (1.54 to 1.85); HIP graphs of 24 to 62 layers on an
    R9700 lie about it (0.66 to 1.61), consumer cards 0.7 below it, mixtures of small experts up to 1.4 above."""


CONSTANTS = EngineConstants()
