from typing import Any

import pytest

from controller.sizing.checkpoint_facts import with_tensors
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.precision import native_precision
from controller.sizing.weights import stored_bytes
from tests.builders.checkpoint import packed_model, small_facts, small_model, tally_of


def test_beside_a_configuration_the_bytes_are_the_tensors() -> None:
    tally = tally_of(small_model())
    facts = with_tensors(small_facts(), tally, "dir")
    assert facts.checkpoint.bytes == tally.bytes == 2 * facts.total_params
    assert facts.shape.architecture == "llama"


@pytest.mark.parametrize("bits", [4, 8])
def test_a_packed_checkpoint_beside_its_configuration_is_as_large_as_its_files(bits: int) -> None:
    tally = tally_of(packed_model(bits))
    facts = with_tensors(small_facts(quantization_config={"quant_method": "gptq", "bits": bits}), tally, "dir")
    assert abs(stored_bytes(facts, native_precision(facts)) - tally.bytes) <= 2


def test_layers_that_were_not_quantized_are_told_by_the_tensors() -> None:
    tensors = {name: ("F8_E4M3" if "mlp" in name else dtype, shape) for name, (dtype, shape) in small_model().items()}
    tally = tally_of(tensors)
    facts = with_tensors(small_facts(quantization_config={"quant_method": "fp8"}), tally, "dir")
    assert stored_bytes(facts, native_precision(facts)) == tally.bytes


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "the width": ({"hidden_size": 128}, "hidden_size 128 contradicts model.embed_tokens.weight, which is 64 wide"),
    "the words": ({"vocab_size": 2000}, "vocab_size 2000 contradicts model.embed_tokens.weight, which has 1000 rows"),
    "the layers": ({"num_hidden_layers": 3}, "num_hidden_layers 3 contradicts the tensors, which are of 2 layers"),
    "the MLP": ({"intermediate_size": 960}, "dir has tensors of .* elements, its config.json makes"),
    "fewer layers": ({"num_hidden_layers": 1}, "dir has tensors of .* elements, its config.json makes"),
}


@pytest.mark.parametrize(("changed", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_tensors_of_another_model_than_the_configuration_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        with_tensors(small_facts(**changed), tally_of(small_model()), "dir")


def test_a_tied_head_may_be_stored_a_second_time() -> None:
    facts = with_tensors(small_facts(tie_word_embeddings=True), tally_of(small_model()), "dir")
    assert (facts.parameters.head, facts.parameters.other) == (0, 0)
