"""Bytes that a start takes of the device although the engine's budget does not count them, on one rank.

The KV cache gets ``device x utilization`` less what the profile counts (``engine.py``). What it does not count has to
fit beside the budget, with the graphs of older engines:

- *at start*: from 0.11 on ranks are connected before the engine looks how much is free (``gpu_worker.py``,
  ``init_device``; vllm-project/vllm pull request 25359, to make replicas agree), so the context and the buffers of the
  communicators are in no term. With less beside the budget the engine refuses to start.
- *graphs*, where they are not within the budget. Up to 0.17 half of what is printed is torch's cache, which later
  allocations get; from 0.18 on ``capture_model`` empties it before it measures, and nothing is left to get.
- *emptied*: experts in mxfp4 are laid out anew after they are loaded (``mxfp4_utils.py``, ``_swizzle_mxfp4``). Of a
  segment that is partly in use torch returns nothing, and the profile asks what is allocated, not what is held.
"""

from math import prod

from controller.sizing.budget import Budget, Start
from controller.sizing.engine_constants import GIB
from controller.sizing.engine_version import Generation

_AT_START_ROCM = 33 * GIB // 100
"""Of one rank alone, MI300X: "Free memory on device (191.36/191.69 GiB) on startup" (the start of EM002). Four R9700s
say 31.23 of 31.86; two that ran out of memory show 0.45 for this and what grew until then. What several ranks hold more
is in the verdict's ``_PARALLEL_GROWTH``."""

_AT_START_CUDA = 51 * GIB // 100
"""The same on an H100, in all 40 logs with one rank of the sweep that EM053 to EM109 are of (``results_raw.csv``)."""

_COMMUNICATORS_CUDA = 102 * GIB // 100
"""More with several ranks: 1.51 to 1.55 in nine such logs, of two ranks and of four."""

_EXPERTS_COMMUNICATOR_CUDA = 48 * GIB // 100
"""More again for a mixture, whose experts have a group of their own: 1.99 to 2.05 in five logs."""

_KEPT_BEFORE_018_PERCENT = 50
"""Two starts that ran out of memory behind printed graphs of 0.66 and 0.92 GiB held 0.07 and 0.1 in graphs' pools, and
some 0.2 in the driver; starts with 0.64 GiB beside the budget live after graphs of 1.4 (R9700)."""

_MORE_SIZES = "gpt_oss"
"""The architecture that captures graphs of up to 1024 tokens where others end at 512 (``GptOssForCausalLMConfig``):
twice the pool, 83 sizes for 51. Printed were 1.84 and 1.55 GiB."""

_EMPTIED = 202 * GIB // 100
"""Of gpt-oss-20b on an H100: what is free after the profile is 2.02 GiB less than its terms leave on one rank, 1.83 on
each of two ("Free memory after profiling: 62.77 GiB (total)", the logs of EM109 and EM111). Both died, holding 1.78 and
1.62 that were free and of no use. On four ranks the same flags did start, so such a start is at risk and no more.

Of models whose weights stay as they were loaded 0.8 and 1.2 were missing in the same sweep. It is not counted: starts
with as little to spare lived, so later allocations found their place in it."""


def at_start_bytes(start: Start) -> int:
    """What a rank holds before the engine looks how much is free; none where the budget counts it."""
    version = start.settings.engine_version
    if version.generation is Generation.V0 or not version.since(0, 11):
        return 0
    if start.settings.platform == "rocm":
        return _AT_START_ROCM
    if start.tensor_parallel * start.pipeline_parallel == 1:
        return _AT_START_CUDA
    experts = _EXPERTS_COMMUNICATOR_CUDA if start.facts.shape.experts else 0
    return _AT_START_CUDA + _COMMUNICATORS_CUDA + experts


def kept_graph_bytes(start: Start, budget: Budget) -> int:
    """What graphs beside the budget leave nobody else; none where they are within it."""
    if budget.graphs_within:
        return 0
    larger = 2 if start.facts.shape.architecture == _MORE_SIZES else 1
    if start.settings.engine_version.since(0, 18):
        return budget.graph_bytes * larger
    return budget.graph_bytes * _KEPT_BEFORE_018_PERCENT // 100


def emptied_bytes(start: Start, largest: int) -> int:
    """What torch holds and nobody gets, of a start whose largest later allocation has so many bytes.

    The parts are of a layer's experts: what is smaller finds its place in them, logits of many sequences do not. On
    ROCm the layout of the experts is kept.
    """
    experts, quantization = start.facts.shape.experts, start.facts.checkpoint.quantization
    mxfp4 = quantization is not None and quantization.method == "mxfp4"
    if experts is None or not mxfp4 or start.settings.platform == "rocm":
        return 0
    width = 2 * experts.intermediate_size // start.tensor_parallel
    part = prod((experts.count, experts.input_size or start.facts.shape.hidden_size, width)) // 2
    return _EMPTIED if largest > part else 0
