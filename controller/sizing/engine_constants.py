"""The few figures of vLLM's memory that no formula gives. Each has a mechanism; each was estimated from start logs.

The logs are the rows of ``tests/data/engine-memory/observations.csv`` (its README names their origins); the estimate
is the median weighed by source, as one author's sweep of 33 rows says no more than another's single log.
Rows whose release is not known say nothing about a release's constant. ``make bench
NAME=sizing`` estimates them again, also without each class of models in turn, and says how far they move. From
``at_start_rocm`` on they are of what no term of the engine's budget counts (``uncounted.py``): logs say them that have
no column there, so they cannot be estimated again, and count as unknown, 0, where no row of such starts is left.
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

    at_start_rocm: int = 33 * GIB // 100
    """Held before the engine looks how much is free, by one rank alone, MI300X: "Free memory on device (191.36/191.69
    GiB) on startup" (the start of EM002). Four R9700s say 31.23 of 31.86; two that ran out of memory show 0.45 for this
    and what grew until then. What several ranks hold more is in ``parallel_growth``."""

    at_start_cuda: int = 51 * GIB // 100
    """The same on an H100, in all 40 logs with one rank of the sweep that EM053 to EM109 are of
    (``results_raw.csv``)."""

    communicators_cuda: int = 102 * GIB // 100
    """More with several ranks: 1.51 to 1.55 in nine such logs, of two ranks and of four."""

    experts_communicator_cuda: int = 48 * GIB // 100
    """More again for a mixture, whose experts have a group of their own: 1.99 to 2.05 in five logs."""

    parallel_growth: int = 3 * GIB // 10
    """What ranks of tensor parallelism take after the pool; on ROCm with the buffers of their communicators, held
    earlier.

    R9700, two ranks, utilization 0.98: two of nine starts died in the sampler's warm-up, and no flag tells which (logs
    of kyuz0/amd-r9700-vllm-toolboxes, three of them among the observations as EM015, EM018 and EM020). What the
    profile's sampler took is what the second run needs, so the same is left whatever the model: 0.64 beside it, less
    the 0.45 that were outside torch over what the profile counted, less 0.1 in graphs' pools. Of these 0.1 GiB torch
    could not use any: 0.12 to 0.17 of what it held were in parts too small."""

    graphs_kept_before_018: float = 0.5
    """Share of the graphs that nobody else gets up to 0.17. Two starts that ran out of memory behind printed graphs of
    0.66 and 0.92 GiB held 0.07 and 0.1 in graphs' pools, and some 0.2 in the driver; starts with 0.64 GiB beside the
    budget live after graphs of 1.4 (R9700)."""

    emptied: int | None = 202 * GIB // 100
    """What torch holds and nobody gets where experts in mxfp4 are laid out anew (``uncounted.emptied_bytes``): read off
    the two starts that it is there for, and no formula is known. None: nobody has measured it, and no such start is
    called safe.

    gpt-oss-20b on an H100: what is free after the profile is 2.02 GiB less than its terms leave on one rank, 1.83 on
    each of two ("Free memory after profiling: 62.77 GiB (total)", the logs of EM109 and EM111). Both died, holding 1.78
    and 1.62 that were free and of no use. On four ranks the same flags did start, so such a start is at risk and no
    more. The difference of 0.19 is what one layer's experts (0.39 GiB in mxfp4 with their scales) are less on each of
    two ranks. The 1.63 that both have in common follow from nothing: a layer's experts in 16 bit are 1.48 and would be
    half on each of two, logits in float32 are 0.77.
    Of models whose weights stay as they were loaded 0.8 and 1.2 were missing in the same sweep. It is not counted:
    starts with as little to spare lived, so later allocations found their place in it."""


CONSTANTS = EngineConstants()
