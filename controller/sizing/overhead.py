"""Bytes an engine takes beside weights and KV cache, on one GPU partition. A first cut: each constant has a mechanism.

Figures are of published vLLM start logs (GiB, versions 0.9 to 0.19):

- *non-torch*: what the driver and the runtime hold outside torch's allocator. On ROCm, one GPU: 0.53 to 0.78, median
  0.62 (three starts; 0.25 on H100).
- *activation peak* of the profile run, the larger of two terms. The sampler's float32 logits: 3.86 x sequences x
  vocabulary x 4 bytes (24 starts, 3.7 to 4.5). The widest layer: three times the MLP's width and eight times the
  model's, 2 bytes each, for every token of a batch (fits Mixtral's 1.21 at 8192 tokens, tensor parallel 2).
- *graphs*: captured HIP or CUDA graphs: 0.84 to 0.96 in the median whatever the model (0.51 to 1.9).

Sequences and batched tokens are vLLM's own defaults on a device below 70 GiB (256 and 2048), which is what a
partition is. A whole GPU started with no such setting profiles with 1024 and 8192 and takes 1 to 3 GiB more.
"""

from controller.sizing.catalog import ModelFacts

_GIB = 2**30

NON_TORCH_BYTES = 62 * _GIB // 100
GRAPH_BYTES = 90 * _GIB // 100

DEFAULT_SEQUENCES = 256
DEFAULT_BATCHED_TOKENS = 2048

_LOGITS_FACTOR_PERCENT = 386
_LOGIT_BYTES = 4
_ACTIVATION_BYTES = 2

MARGIN_PERCENT = 3
"""Kept free over everything else, for what the formulas miss: weights are within 1 to 2 % of the printed ones, the KV
cache within 1 %. It does not cover the spread between starts of one setup (up to 2.6 GiB seen on one machine with a
cold compile cache), which takes away from the cache, not from the start."""


def activation_bytes(facts: ModelFacts, concurrency: int) -> int:
    """The peak of the engine's profile run over the weights."""
    sequences = max(concurrency, DEFAULT_SEQUENCES)
    logits = _LOGITS_FACTOR_PERCENT * sequences * facts.vocab_size * _LOGIT_BYTES // 100
    return max(logits, _widest_layer_bytes(facts))


def _widest_layer_bytes(facts: ModelFacts) -> int:
    # one token runs through its chosen and the shared experts, or through the dense layer
    experts = (facts.moe_experts_per_token + facts.shared_experts) * facts.moe_intermediate_size
    width = experts if facts.moe_num_experts else facts.intermediate_size
    return DEFAULT_BATCHED_TOKENS * (3 * width + 8 * facts.hidden_size) * _ACTIVATION_BYTES


def overhead_bytes(facts: ModelFacts, concurrency: int, weights: int, kv_cache: int) -> int:
    """Everything but weights and KV cache, the margin over all of it included."""
    engine = NON_TORCH_BYTES + activation_bytes(facts, concurrency) + GRAPH_BYTES
    return engine + (weights + kv_cache + engine) * MARGIN_PERCENT // 100
