"""What a rank holds while vLLM quantizes as it loads (``quantization: fp8``), and the weights that it ends with.

The checkpoint has 16 bit. Linear layers and experts become fp8; ``lm_head``, embeddings, norms and routers stay as they
are (``model_executor/layers/quantization/fp8.py``: linear layers and fused experts only). How much 16 bit is on the
device at once goes by the version, read in vLLM's source packages (0.14.1, 0.16.0, 0.18.1, 0.19.1, 0.23.0, 0.27.1,
0.28.0 and 0.33.0):

==========  =========================================================================================================
since 0.19  one module at a time: what is read waits on the host until a module is complete, and only then is it on the
            device in 16 bit, until it is quantized (``model_loader/reload/layerwise.py``)
0.16-0.18   the same, but a module is on the device from its first tensor on (vllm-project/vllm pull request 31914)
0.13-0.15   everything twice, the 16-bit weights until all is read (pull request 29196; issue 31805 and pull request
            32773 tell of starts that run out of memory where 16 bit fits)
before      all in 16 bit, then module by module (``process_weights_after_loading``)
==========  =========================================================================================================

KV cache, activations and graphs come after loading, so a start needs the larger of the two, not the sum.
"""

from typing import Final

from controller.sizing.engine import EngineSettings, in_default_image
from controller.sizing.engine_version import EngineVersion
from controller.sizing.facts import GatedDeltaNet, Mamba2, ModelFacts, RecurrentState
from controller.sizing.parameters import dense_layers, tensors_of
from controller.sizing.precision import Precision, native_precision
from controller.sizing.tensor_parallel import rank_elements
from controller.sizing.weights import quantized_elements, weights_bytes

_MODULE_BYTES: Final = 3
"""For each element of the widest module: 16 bit beside its fp8 copy, which is counted with the weights, and one more
fp8 copy of experts, whose elements AITER and other kernels want in another order (``convert_to_fp8_moe_kernel_format``
in ``fused_moe/oracle/fp8.py``)."""

_MODULES_BYTES_BEFORE_019: Final = 6.5
"""The same with modules that wait on the device for the rest of theirs in another file. As vLLM's own test saw it
(``tests/quantization/test_fp8.py``, ``test_online_quant_peak_mem``): OLMoE-1B-7B, whose layers have 403 million
elements of experts each, peaks at 9.06 GiB and ends at 6.65, which is 6.4 bytes for each of them."""


def loaded_weights_bytes(facts: ModelFacts, precision: Precision, settings: EngineSettings, ranks: int = 1) -> int:
    """What one rank has as weights once it has loaded: those that are read, or those that it makes."""
    loaded = weights_bytes(facts, precision, ranks, settings.platform)
    return loaded if settings.quantization != precision else loaded + _unused_gates(facts, _version(settings), ranks)


def loading_bytes(facts: ModelFacts, precision: Precision, settings: EngineSettings, ranks: int = 1) -> int:
    """Bytes on one rank beyond its loaded weights, at most, while it loads; 0 where nothing is quantized."""
    if settings.quantization != precision:
        return 0
    version = _version(settings)
    widest = _widest_module(facts, version, ranks)
    if version.since(0, 19):
        return _MODULE_BYTES * widest
    if version.since(0, 16):
        return int(_MODULES_BYTES_BEFORE_019 * widest)
    gates = _unused_gates(facts, version, ranks)
    if version.since(0, 13):
        return 2 * (quantized_elements(facts, precision, ranks) + gates)
    published = weights_bytes(facts, native_precision(facts), ranks, settings.platform) + 2 * gates
    ended = loaded_weights_bytes(facts, precision, settings, ranks)
    return max(0, published - ended) + widest


def _version(settings: EngineSettings) -> EngineVersion:
    return in_default_image(settings).engine_version


def _unused_gates(facts: ModelFacts, version: EngineVersion, ranks: int) -> int:
    """Elements that experts without a gate have for one nevertheless: as many as their way up, and never taken back.

    So up to vLLM 0.27 (issue 44489 shows it of a Nemotron 3: 46 GB in place of 32; since then
    ``quantization/online/moe_base.py`` asks for the number of parts).
    """
    if version.since(0, 28) or tensors_of(facts.shape.architecture).gated_mlp:
        return 0
    return rank_elements(facts, ranks).routed_experts // 2


def _widest_module(facts: ModelFacts, version: EngineVersion, ranks: int) -> int:
    """Elements of the largest part of a layer that is quantized at once: all its experts, its MLP, or its mixer.

    The latter two are several modules; taken as one they are on the safe side.
    """
    elements, experts = rank_elements(facts, ranks), facts.shape.experts
    recurrent = sum(group.count for group in facts.layers if isinstance(group.keeps, _RECURRENT))
    attention = elements.attention + elements.kv_projections + elements.latent_projections
    routed = elements.routed_experts + _unused_gates(facts, version, ranks)
    return max(
        routed // (experts.layers if experts else 1),
        elements.dense_mlp // max(1, dense_layers(facts.shape)),
        attention // max(1, facts.shape.num_hidden_layers - recurrent),
        elements.recurrent // max(1, recurrent),
    )


_RECURRENT: Final = (GatedDeltaNet, Mamba2, RecurrentState)
