from dataclasses import replace

import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.precision import Precision
from tests.benchmarks.sizing.identity import Names, Unidentified, precision_of
from tests.benchmarks.sizing.observation import FILE, Observation, read

NAMES = Names(Catalog.bundled())
ROW = read(FILE)[0][0]
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


@pytest.mark.parametrize(
    ("model", "want"),
    [
        pytest.param(LLAMA, LLAMA, id="an id"),
        pytest.param("somebody/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", LLAMA, id="a quantized copy"),
        pytest.param("Llama-3.1-8B-Instruct-AWQ-INT4", LLAMA, id="two words of quantization"),
        pytest.param("Phi-4 (AutoRound)", "microsoft/phi-4", id="a remark"),
        pytest.param("Qwen2.5-32B class (fine-tune named x)", "Qwen/Qwen2.5-32B", id="a class"),
        pytest.param("other/Qwen3-14B-Chat", "Qwen/Qwen3-14B", id="another tuning of one shape"),
    ],
)
def test_a_name_finds_its_shape(model: str, want: str) -> None:
    assert NAMES.facts(model).layers == Catalog.bundled().get(want).layers


@pytest.mark.parametrize(
    "model", ["not named", "Qwen 27B class (not named)", "nobody/Llama-9-1B", "deepseek-ai/DeepSeek-V4-Pro"]
)
def test_what_the_catalogue_has_not_is_not_guessed(model: str) -> None:
    with pytest.raises(Unidentified, match="not in the catalogue"):
        NAMES.facts(model)


@pytest.mark.parametrize(
    ("model", "want"),
    [
        ("Llama-3.3-70B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"),
        ("llama-3.1-8b-instruct", LLAMA),
        ("gemma-3-27b-it", "google/gemma-3-27b-it"),
        ("microsoft/Phi-4", "microsoft/phi-4"),
        ("QWEN/qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8"),
        ("Qwen3-8B-FP8", "Qwen/Qwen3-8B-FP8"),
        ("gpt-oss-20b", "openai/gpt-oss-20b"),
    ],
)
def test_a_name_without_words_of_a_quantization_means_the_original(model: str, want: str) -> None:
    assert NAMES.facts(model).model_id == want
    native = Precision(method.method) if (method := NAMES.facts(model).checkpoint.quantization) else Precision.BF16
    assert precision_of(row("", model), NAMES.facts(model)) is native


def row(quantization: str, model: str = LLAMA, dtype: str = "bfloat16") -> Observation:
    return replace(ROW, quantization=quantization, model=model, dtype=dtype)


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(row("none"), Precision.BF16, id="16 bit"),
        pytest.param(row("none", dtype="float16"), Precision.FP16, id="the other 16 bit"),
        pytest.param(row("none", dtype="float32"), Precision.FP32, id="32 bit"),
        pytest.param(row(""), Precision.BF16, id="nothing said"),
        pytest.param(row("gptq int4"), Precision.INT4, id="4 bit"),
        pytest.param(row("modelopt_fp4"), Precision.INT4, id="4 bit of another kind"),
        pytest.param(row("gguf Q8_0"), Precision.INT8, id="8 bit by another name"),
        pytest.param(row("compressed-tensors", "x/Llama-3.1-8B-Instruct-FP8-dynamic"), Precision.FP8, id="by the name"),
        pytest.param(row("compressed-tensors w8a8"), Precision.INT8, id="by the column first"),
    ],
)
def test_columns_then_names_tell_the_precision(found: Observation, want: Precision) -> None:
    assert precision_of(found, NAMES.facts(LLAMA)) is want


def test_a_model_trained_in_mxfp4_has_no_other() -> None:
    facts = NAMES.facts("openai/gpt-oss-20b")
    assert precision_of(row("mxfp4", "openai/gpt-oss-20b"), facts) is Precision.MXFP4
    with pytest.raises(Unidentified, match="mxfp4 only"):
        precision_of(row("none", "openai/gpt-oss-20b"), facts)


def test_a_checkpoint_that_is_published_quantized_says_it_itself() -> None:
    kimi = NAMES.facts("moonshotai/Kimi-K2-Thinking")
    assert precision_of(row("compressed-tensors", "moonshotai/Kimi-K2-Thinking"), kimi) is Precision.INT4


def test_a_quantization_of_no_known_precision_is_said() -> None:
    with pytest.raises(Unidentified, match="compressed-tensors"):
        precision_of(row("compressed-tensors"), NAMES.facts(LLAMA))
