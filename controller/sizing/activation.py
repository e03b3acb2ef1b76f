"""Bytes of the peak of the engine's profile run over the weights, on one rank.

vLLM runs one batch of ``max_num_batched_tokens`` tokens and samples ``max_num_seqs`` sequences from it
(``vllm/v1/worker/gpu_model_runner.py``, ``profile_run`` and ``_dummy_sampler_run``). The peak is what lives through
the run, and the larger of what a layer and what the sampler needs:

- *held*: scratch of the mixture's kernels, which vLLM allocates once for the largest batch and keeps
  (``fused_moe``: two buffers of ``tokens x chosen experts`` rows); for models with images the encoder's outputs of a
  batch full of images and the pixels they are made of; the BLAS library's workspace;
- *layer*: for each token four vectors of the model's width (residual, hidden, normed, attention's output) and three
  of the MLP's (gate, up, their product), the latter divided by tensor parallelism;
- *sampler*: the hidden states it samples from, and for each sequence and word of the vocabulary the logits in several
  forms (``engine_constants.py``). Every rank gathers all logits: tensor parallelism does not make it smaller.

With 1024 sequences, a large device's default, the sampler leads for every vocabulary above 50,000. Checked against
peaks printed from vLLM 0.5 to 0.19: ``make bench NAME=sizing``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.gpu.product import PRODUCTS
from controller.sizing.engine import DEFAULT_BATCHED_TOKENS, DEFAULT_SEQUENCES, EngineSettings, Platform
from controller.sizing.engine_constants import CONSTANTS, EngineConstants
from controller.sizing.engine_version import Generation
from controller.sizing.facts import ModelFacts

_BLAS_WORKSPACE = 32 * 2**20
"""What torch keeps for cuBLAS on Hopper, and about what hipBLASLt takes (torch's ``CUBLAS_WORKSPACE_CONFIG``)."""

_VECTORS_A_LAYER = 4
_MLP_VECTORS = 3

_PIXELS_A_TOKEN = 3 * 28 * 28
"""Input elements of an image token: patches of 14 pixels merged two by two, three colours (Pixtral, Qwen-VL)."""

_MASKING_PROGRAMS: Mapping[Platform, int] = MappingProxyType(
    {"rocm": max(product.compute_units for product in PRODUCTS.values()), "cuda": 132}
)
"""Rows of the masking kernel's buffer, float32, where no device is known.

There is a row a program, and a program a multiprocessor, a compute unit on AMD, but no more than sequences
(vllm-project/vllm pull request 33538, ``vllm/v1/sample/ops/topk_topp_triton.py``). Before a partition is chosen the
most that any product has is the safe side: 304, a whole MI300X. An eighth of one has 38, for which that is up to
0.12 GiB too much with 256 sequences and 152,000 words; a start on a known device counts its own. 132 are those of the
H100, which most of the measured starts on CUDA were on.
"""

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Activation:
    """Bytes of the parts of a peak."""

    held_bytes: int
    layer_bytes: int
    sampler_bytes: int

    @property
    def peak_bytes(self) -> int:
        """What the engine sees."""
        return self.held_bytes + max(self.layer_bytes, self.sampler_bytes)


def activation_bytes(facts: ModelFacts, settings: EngineSettings, tensor_parallel: int) -> int:
    """The peak with resolved settings, in 16 bit."""
    return activation(facts, settings, tensor_parallel).peak_bytes


def activation(
    facts: ModelFacts,
    settings: EngineSettings,
    tensor_parallel: int,
    element_bytes: int = 2,
    constants: EngineConstants = CONSTANTS,
) -> Activation:
    """The parts of the peak, with resolved settings. ``element_bytes`` is of the type that is computed in."""
    tokens = settings.max_num_batched_tokens or DEFAULT_BATCHED_TOKENS
    batch = _Batch(tokens, min(settings.max_num_seqs or DEFAULT_SEQUENCES, tokens), element_bytes, tensor_parallel)
    rows = settings.multiprocessors or _MASKING_PROGRAMS[settings.platform]
    programs = rows if settings.engine_version.since(0, 17) else 0
    sampler = batch.hidden_states(facts) + batch.sampler_bytes(facts, programs, constants)
    images = settings.engine_version.generation is Generation.V1
    return Activation(
        held_bytes=_BLAS_WORKSPACE + batch.expert_scratch(facts) + (batch.images(facts) if images else 0),
        layer_bytes=batch.layer(facts),
        sampler_bytes=sampler,
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """The batch of a profile run."""

    tokens: int
    sequences: int
    element_bytes: int
    tensor_parallel: int

    def hidden_states(self, facts: ModelFacts) -> int:
        return (self.tokens + self.sequences) * facts.shape.hidden_size * self.element_bytes

    def sampler_bytes(self, facts: ModelFacts, programs: int, constants: EngineConstants) -> int:
        """With so many programs of the masking kernel; none sort."""
        logits = self.sequences * facts.shape.vocab_size
        # both figures are of 16-bit logits; those of a wider type take the difference
        wider = logits * (self.element_bytes - 2)
        if not programs:
            return int(logits * constants.sorting_sampler_bytes) + wider
        buffer = min(self.sequences, programs) * facts.shape.vocab_size * _FLOAT_BYTES
        return int(logits * constants.masking_sampler_bytes) + buffer + wider

    def layer(self, facts: ModelFacts) -> int:
        experts = facts.shape.experts
        mlp = experts.shared_width if experts else facts.shape.intermediate_size
        width = _VECTORS_A_LAYER * facts.shape.hidden_size + _MLP_VECTORS * -(-mlp // self.tensor_parallel)
        return self.tokens * width * self.element_bytes

    def expert_scratch(self, facts: ModelFacts) -> int:
        experts = facts.shape.experts
        quantization = facts.checkpoint.quantization
        # kernels for mxfp4 gather and scatter inside: their peaks show no scratch (gpt-oss-20b: 2.87 GiB, 2.86 without)
        if experts is None or (quantization is not None and quantization.method == "mxfp4"):
            return 0
        inner, hidden = -(-experts.intermediate_size // self.tensor_parallel), facts.shape.hidden_size
        rows = self.tokens * experts.per_token
        return rows * (max(inner, hidden) + max(2 * inner, hidden)) * self.element_bytes

    def images(self, facts: ModelFacts) -> int:
        if not facts.shape.vision_params:
            return 0
        return self.tokens * (facts.shape.hidden_size + _PIXELS_A_TOKEN) * self.element_bytes
