"""Facts of small models that never were, for tests of sizing."""

from typing import Any

from controller.sizing.facts import Checkpoint, Experts, FullAttention, Keeps, LayerGroup, ModelFacts, Shape
from controller.sizing.parameters import count_parameters


def model_facts(
    *layers: tuple[int, Keeps], checkpoint: Checkpoint | None = None, experts: Experts | None = None, **shape: Any
) -> ModelFacts:
    """A model of `layers` (count, what they keep); 4 layers of 8 heads and 2 KV heads of 64 if none are given."""
    groups = tuple(LayerGroup(count, keeps) for count, keeps in layers) or (LayerGroup(4, FullAttention(2, 64)),)
    values = {
        "architecture": "llama",
        "hidden_size": 512,
        "intermediate_size": 1536,
        "num_attention_heads": 8,
        "vocab_size": 32000,
        "tie_word_embeddings": False,
        "max_position_embeddings": 8192,
        **shape,
    }
    made = Shape(layers=groups, experts=experts, **values)
    return ModelFacts("test/model", made, count_parameters(made), checkpoint or Checkpoint("bfloat16"))
