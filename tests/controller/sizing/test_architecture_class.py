import pytest

from controller.sizing.model_file_errors import ModelFileError
from tests.builders.model_config import facts_of


@pytest.mark.parametrize(
    ("config", "named", "other"),
    [
        pytest.param("llama", "DeepseekV3ForCausalLM", "deepseek_v3", id="a dense model of a mixture's class"),
        pytest.param("mistral", "MixtralForCausalLM", "mixtral", id="the same tensors but for the experts"),
        pytest.param("qwen3_moe", "Qwen3ForCausalLM", "qwen3", id="a mixture of a dense model's class"),
    ],
)
def test_a_class_of_another_model_is_refused_by_field_value_and_remedy(config: str, named: str, other: str) -> None:
    with pytest.raises(ModelFileError, match=rf"architectures .*{named}.* type {other}, .*{config}: correct the one"):
        facts_of(config, architectures=[named])


@pytest.mark.parametrize(
    ("config", "named"),
    [
        pytest.param("kimi_k2", "DeepseekV3ForCausalLM", id="loaded by the class of a model of the same tensors"),
        pytest.param("llama", "OurOwnForCausalLM", id="a class that is not known"),
        pytest.param("gemma3_text", "Gemma3ForCausalLM", id="the decoder of a wrapper alone"),
    ],
)
def test_a_class_that_loads_the_same_tensors_is_taken(config: str, named: str) -> None:
    assert facts_of(config, architectures=[named]).parameters == facts_of(config).parameters
