import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.facts import FullAttention, LayerGroup, Shape
from controller.sizing.parameters import TENSORS, count_parameters, dense_layers

BUNDLED = Catalog.bundled()


def _shape(architecture: str) -> Shape:
    return Shape(architecture, 64, 96, 4, 1000, True, 2048, (LayerGroup(2, FullAttention(2, 16)),))


def test_a_models_elements_are_counted_tensor_by_tensor() -> None:
    counts = count_parameters(_shape("llama"))
    assert (counts.embedding, counts.head, counts.norms) == (64_000, 0, 5 * 64)
    assert (counts.attention, counts.kv_projections) == (2 * 2 * 64 * 64, 2 * 2 * 64 * 32)
    assert counts.dense_mlp == 2 * 3 * 64 * 96
    assert counts.total == 64_000 + 320 + 16_384 + 8_192 + 36_864


@pytest.mark.parametrize("architecture", sorted(TENSORS))
def test_an_architecture_has_at_least_the_matrices_of_a_decoder(architecture: str) -> None:
    counts = count_parameters(_shape(architecture))
    assert counts.total >= 64_000 + 16_384 + 8_192 + 2 * 2 * 64 * 96


def test_an_architecture_that_is_not_known_is_counted_like_llama() -> None:
    assert count_parameters(_shape("never-heard-of")) == count_parameters(_shape("llama"))


@pytest.mark.parametrize("model_id", [i for i in BUNDLED.known_ids() if "fp8" not in i.casefold()][::7])
def test_what_the_published_count_of_a_model_has_beyond_its_roles_is_below_two_per_mille(model_id: str) -> None:
    counts = BUNDLED.get(model_id).parameters
    assert counts.other <= counts.total * 0.002


def test_layers_that_are_no_mixture_are_dense_unless_the_shape_says_otherwise() -> None:
    assert dense_layers(BUNDLED.get("deepseek-ai/DeepSeek-V3").shape) == 3
    assert dense_layers(BUNDLED.get("Qwen/Qwen3-30B-A3B").shape) == 0
