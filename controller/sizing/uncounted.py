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

from controller.sizing.budget import Start
from controller.sizing.engine import graph_bytes, graphs_within_budget
from controller.sizing.engine_constants import CONSTANTS, EngineConstants
from controller.sizing.engine_version import Generation


def at_start_bytes(start: Start, constants: EngineConstants = CONSTANTS) -> int:
    """What a rank holds before the engine looks how much is free; none where the budget counts it."""
    version = start.settings.engine_version
    if version.generation is Generation.V0 or not version.since(0, 11):
        return 0
    if start.settings.platform == "rocm":
        return constants.at_start_rocm
    if start.tensor_parallel * start.pipeline_parallel == 1:
        return constants.at_start_cuda
    experts = constants.experts_communicator_cuda if start.facts.shape.experts else 0
    return constants.at_start_cuda + constants.communicators_cuda + experts


def kept_graph_bytes(start: Start, constants: EngineConstants = CONSTANTS) -> int:
    """What graphs beside the budget leave nobody else; none where they are within it."""
    if graphs_within_budget(start.settings):
        return 0
    graphs = graph_bytes(start.settings, start.facts, constants)
    return graphs if start.settings.engine_version.since(0, 18) else int(graphs * constants.graphs_kept_before_018)


def emptied_bytes(start: Start, largest: int, constants: EngineConstants = CONSTANTS) -> int | None:
    """What torch holds and nobody gets, of a start whose largest later allocation has so many bytes.

    None where there is something, and nobody has measured how much. The parts are of a layer's experts: what is
    smaller finds its place in them, logits of many sequences do not. On ROCm the layout of the experts is kept.
    """
    experts, quantization = start.facts.shape.experts, start.facts.checkpoint.quantization
    mxfp4 = quantization is not None and quantization.method == "mxfp4"
    if experts is None or not mxfp4 or start.settings.platform == "rocm":
        return 0
    width = 2 * experts.intermediate_size // start.tensor_parallel
    part = prod((experts.count, experts.input_size or start.facts.shape.hidden_size, width)) // 2
    return constants.emptied if largest > part else 0
