"""Bytes of the peak of the engine's profile run over the weights, on one rank: the larger of two terms.

The sampler's float32 logits: 3.86 x sequences x vocabulary x 4 bytes (24 starts, 3.7 to 4.5). The widest layer: three
times the MLP's width and eight times the model's, 2 bytes each, for every token of a batch (fits Mixtral's 1.21 GiB at
8192 tokens, tensor parallel 2).
"""

from controller.sizing.engine import DEFAULT_BATCHED_TOKENS, DEFAULT_SEQUENCES, EngineSettings
from controller.sizing.facts import ModelFacts

_LOGITS_FACTOR_PERCENT = 386
_LOGIT_BYTES = 4
_ACTIVATION_BYTES = 2


def activation_bytes(facts: ModelFacts, settings: EngineSettings, tensor_parallel: int) -> int:
    """The peak with resolved settings. The logits do not fall with tensor parallelism: every rank samples them all."""
    sequences = settings.max_num_seqs or DEFAULT_SEQUENCES
    logits = _LOGITS_FACTOR_PERCENT * sequences * facts.shape.vocab_size * _LOGIT_BYTES // 100
    return max(
        logits, _widest_layer_bytes(facts, settings.max_num_batched_tokens or DEFAULT_BATCHED_TOKENS, tensor_parallel)
    )


def _widest_layer_bytes(facts: ModelFacts, tokens: int, tensor_parallel: int) -> int:
    # one token runs through its chosen and the shared experts, or through the dense layer
    experts = facts.shape.experts
    width = (
        experts.per_token * experts.intermediate_size + experts.shared_width
        if experts
        else facts.shape.intermediate_size
    )
    return tokens * (3 * width // tensor_parallel + 8 * facts.shape.hidden_size) * _ACTIVATION_BYTES
