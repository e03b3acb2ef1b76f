"""What a rank holds while vLLM quantizes as it loads (``quantization: fp8``), beyond the weights that it ends with.

The checkpoint has 16 bit. Linear layers and experts become fp8; ``lm_head``, embeddings, norms and routers stay as they
are (``model_executor/layers/quantization/fp8.py``: linear layers and fused experts only). How much 16 bit is on the
device at once goes by the version, read in vLLM's source packages (0.14.1, 0.16.0, 0.18.1, 0.19.1, 0.23.0, 0.33.0):

==========  =========================================================================================================
since 0.19  one module at a time: what is read waits on the host until a module is complete, and only then is it on the
            device in 16 bit, until it is quantized (``model_loader/reload/layerwise.py``)
0.16-0.18   the same, but a module is on the device from its first tensor on (vllm-project/vllm pull request 31914)
0.13-0.15   everything twice, the 16-bit weights until all is read (pull request 29196; issue 31805 and pull request
            32773 tell of starts that run out of memory where 16 bit fits)
before      all in 16 bit, then module by module (``process_weights_after_loading``)
==========  =========================================================================================================

Which one it is: our default image, AIM 0.13, has vLLM 0.23 (amd-enterprise-ai/aim-build at version 0.13,
``docker/Dockerfile.aim-instinct-base``). KV cache, activations and graphs come after loading, so a start needs the
larger of the two, not the sum.
"""

from typing import Final

from controller.sizing.engine import EngineSettings
from controller.sizing.facts import GatedDeltaNet, Mamba2, ModelFacts, RecurrentState
from controller.sizing.parameters import dense_layers
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


def loading_bytes(facts: ModelFacts, precision: Precision, settings: EngineSettings, ranks: int = 1) -> int:
    """Bytes on one rank beyond its loaded weights, at most, while it loads; 0 where nothing is quantized."""
    if settings.quantization != precision:
        return 0
    version = settings.engine_version
    if version.since(0, 19):
        return _MODULE_BYTES * _widest_module(facts, ranks)
    if version.since(0, 16):
        return int(_MODULES_BYTES_BEFORE_019 * _widest_module(facts, ranks))
    if version.since(0, 13):
        return 2 * quantized_elements(facts, precision, ranks)
    published = weights_bytes(facts, native_precision(facts), ranks, settings.platform)
    ended = weights_bytes(facts, precision, ranks, settings.platform)
    return max(0, published - ended) + _widest_module(facts, ranks)


def _widest_module(facts: ModelFacts, ranks: int) -> int:
    """Elements of the largest part of a layer that is quantized at once: all its experts, its MLP, or its mixer.

    The latter two are several modules; taken as one they are on the safe side.
    """
    elements, experts = rank_elements(facts, ranks), facts.shape.experts
    recurrent = sum(group.count for group in facts.layers if isinstance(group.keeps, _RECURRENT))
    attention = elements.attention + elements.kv_projections + elements.latent_projections
    return max(
        elements.routed_experts // (experts.layers if experts else 1),
        elements.dense_mlp // max(1, dense_layers(facts.shape)),
        attention // max(1, facts.shape.num_hidden_layers - recurrent),
        elements.recurrent // max(1, recurrent),
    )


_RECURRENT: Final = (GatedDeltaNet, Mamba2, RecurrentState)
