"""The facts of a model whose config.json is understood, with what the tensors of its checkpoint add.

The shape is the configuration's; the bytes are the tensors', which know of scales and of layers that were not
quantized. The two must agree.
"""

from dataclasses import replace
from typing import Final

import msgspec

from controller.sizing.facts import ModelFacts, Source
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.precision import native_precision
from controller.sizing.tensor_roles import FOUR_BITS, Role, TensorTally
from controller.sizing.weights import stored_bytes

_TOLERANCE: Final = 0.01
"""Share by which stored elements may differ from the configuration's: a second copy of a tied head is told apart."""

_REMEDY: Final = "take config.json and tensors of the same model"


def with_tensors(facts: ModelFacts, tally: TensorTally, directory: str) -> ModelFacts:
    """Facts of a configuration, with the bytes of its tensors. Raises ModelFileError where the two contradict."""
    _refuse_contradiction(facts, tally, directory)
    checkpoint = msgspec.structs.replace(facts.checkpoint, bytes=tally.bytes)
    counts = replace(facts.parameters, other=facts.parameters.other + _beyond(facts, tally))
    source = Source("checkpoint", f"the safetensors headers in {directory}", "read")
    return replace(facts, parameters=counts, checkpoint=checkpoint, sources=(*facts.sources, source))


def _beyond(facts: ModelFacts, tally: TensorTally) -> int:
    """Elements of 16 bit that the files have beyond what the configuration makes: layers that were not quantized.

    A second copy of a tied head is stored and not loaded.
    """
    stored = stored_bytes(facts, native_precision(facts))
    copied = tally.bytes_of(Role.HEAD) if facts.shape.tie_word_embeddings else 0
    return max(0, tally.bytes - stored - copied) // 2


def _refuse_contradiction(facts: ModelFacts, tally: TensorTally, directory: str) -> None:
    """Raises ModelFileError where the stored tensors cannot be those of the configuration."""
    embedding, shape = tally.embedding(), facts.shape
    if embedding is None:
        problem = "holds no embedding among its tensors"
        raise ModelFileError(directory, "", None, problem, "name the directory of a whole language model")
    if embedding.shape[1] != shape.hidden_size:
        problem = f"contradicts {embedding.name}, which is {embedding.shape[1]} wide"
        raise ModelFileError(directory, "config.json: hidden_size", shape.hidden_size, problem, _REMEDY)
    if embedding.shape[0] < shape.vocab_size:
        problem = f"contradicts {embedding.name}, which has {embedding.shape[0]} rows"
        raise ModelFileError(directory, "config.json: vocab_size", shape.vocab_size, problem, _REMEDY)
    layers = len(tally.layers())
    if layers < shape.num_hidden_layers:
        problem = f"contradicts the tensors, which are of {layers} layers"
        raise ModelFileError(directory, "config.json: num_hidden_layers", shape.num_hidden_layers, problem, _REMEDY)
    quantization = facts.checkpoint.quantization
    packed = 8 if quantization is not None and quantization.method == "int8" else FOUR_BITS
    stored, told = tally.counts(packed).total, facts.total_params
    copied = facts.parameters.embedding if shape.tie_word_embeddings else 0
    if not told * (1 - _TOLERANCE) - shape.mtp_params <= stored <= told * (1 + _TOLERANCE) + copied:
        problem = f"has tensors of {stored} elements, its config.json makes {told}"
        raise ModelFileError(directory, "", None, problem, _REMEDY)
