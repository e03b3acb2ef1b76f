from itertools import groupby

import pytest
import yaml

from controller.gpu.product import PRODUCTS, product_named
from controller.profiles.aim_profile import AIMProfile, Metric, Model
from controller.profiles.checkpoints import Checkpoint, Copy, Weights, checkpoint_of, copies
from controller.profiles.generator import AIMProfileGenerator, Served, served_by_id
from controller.sizing.precision import Precision, native_precision
from controller.sizing.requirement import SizingRequest
from controller.sizing.tensor_parallel import possible_ranks
from tests.builders.profile import CATALOG, LISTED, LLAMA, SIZES
from tests.controller.profiles.test_aim_profile import OURS, errors

DEEPSEEK = "deepseek-ai/DeepSeek-V3"
OLMO = "allenai/OLMo-2-0325-32B-Instruct"
GENERATOR = AIMProfileGenerator(SIZES)


def profiles_of(model_id: str, precision: str, *products: str) -> tuple[AIMProfile, ...]:
    generator = AIMProfileGenerator(SIZES, tuple(map(product_named, products))) if products else GENERATOR
    return generator.generate(Served(SizingRequest(model_id, Precision(precision)), Model(model_id, model_id)))


def test_each_mode_of_each_product_has_a_profile_a_metric() -> None:
    found = profiles_of("meta-llama/Llama-3.2-1B-Instruct", "bf16", "MI300X", "MI210")
    modes = [(product, mode) for product in ("MI300X", "MI210") for mode in PRODUCTS[product].allowed]
    assert [(p.target.gpu, p.target.mode, p.target.metric) for p in found] == [
        (product, mode, metric) for product, mode in modes for metric in Metric
    ]


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4", "fp8", "bf16", "fp32"])
def test_every_profile_is_valid(precision: str) -> None:
    for profile in profiles_of(LLAMA, precision):
        assert errors(OURS, yaml.safe_load(profile.to_yaml())) == []


def test_every_profile_has_a_file_of_its_own() -> None:
    paths = [profile.path for profile in profiles_of(LLAMA, "fp16")]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("model_id", LISTED)
def test_what_a_profile_needs_is_there(model_id: str) -> None:
    for profile in profiles_of(model_id, "auto"):
        target, args = profile.target, dict(profile.engine_args)
        request = SizingRequest(model_id, target.precision, tensor_parallel=target.count)
        size = product_named(target.gpu).partition_bytes(target.mode)
        assert SIZES.size(request).total_bytes <= size
        assert args["tensor-parallel-size"] == target.count
        assert isinstance(args["gpu-memory-utilization"], float)
        assert 0 < args["gpu-memory-utilization"] < 1


def test_a_model_that_one_partition_holds_has_no_profile_on_several() -> None:
    found = profiles_of("Qwen/Qwen3-32B", "bf16", "MI300X")
    assert {p.target.count for p in found} == {1}
    assert "cpx-nps4" not in {p.target.variant for p in found}


def test_a_model_that_no_single_one_holds_is_on_as_few_as_will_do() -> None:
    found = profiles_of(DEEPSEEK, "fp8", "MI300X")
    assert found
    for profile in found:
        size = product_named("MI300X").partition_bytes(profile.target.mode)
        fewer = possible_ranks(CATALOG.get(DEEPSEEK), Precision.FP8, profile.target.count - 1)
        needs = [SIZES.size(SizingRequest(DEEPSEEK, Precision.FP8, tensor_parallel=ranks)) for ranks in fewer]
        assert all(need.total_bytes > size for need in needs)


def test_a_model_larger_than_eight_of_anything_has_none() -> None:
    assert profiles_of("deepseek-ai/DeepSeek-V3", "bf16", "MI210") == ()


def test_memory_modes_of_one_size_start_alike() -> None:
    found = [p for p in profiles_of(LLAMA, "int4", "MI300X") if p.target.mode.compute == "CPX"]
    for _, alike in groupby(sorted(found, key=lambda p: p.target.metric), lambda p: p.target.metric):
        assert len({p.engine_args for p in alike}) == 1


def test_generating_twice_gives_the_same_bytes() -> None:
    first, second = (b"".join(p.to_yaml().encode() for p in profiles_of(LLAMA, "int4")) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("model_id", "precision", "want"),
    [
        (LLAMA, "bf16", Checkpoint(Weights.AS_PUBLISHED, LLAMA)),
        (LLAMA, "fp16", Checkpoint(Weights.CAST, LLAMA)),
        (LLAMA, "fp32", Checkpoint(Weights.CAST, LLAMA)),
        (LLAMA, "fp8", Checkpoint(Weights.COPY, "amd/Llama-3.1-8B-Instruct-FP8-KV")),
        (LLAMA, "int8", Checkpoint(Weights.COPY, "RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8")),
        (LLAMA, "int4", Checkpoint(Weights.NEEDS_COPY, None)),
        (OLMO, "fp8", Checkpoint(Weights.AT_LOAD, OLMO)),
        (DEEPSEEK, "fp8", Checkpoint(Weights.AS_PUBLISHED, DEEPSEEK)),
        (DEEPSEEK, "bf16", Checkpoint(Weights.NEEDS_COPY, None)),
        ("openai/gpt-oss-20b", "mxfp4", Checkpoint(Weights.AS_PUBLISHED, "openai/gpt-oss-20b")),
    ],
)
def test_where_weights_come_from(model_id: str, precision: str, want: Checkpoint) -> None:
    assert checkpoint_of(CATALOG.get(model_id), Precision(precision)) == want


def test_without_a_known_copy_a_profile_names_no_checkpoint_and_says_what_to_add() -> None:
    request = SizingRequest(DEEPSEEK, Precision.INT4)
    for profile in GENERATOR.generate(served_by_id(CATALOG.get(DEEPSEEK), request)):
        text = profile.to_yaml()
        assert {"aim_id", "model_id"} & yaml.safe_load(text).keys() == set()
        assert f"#   aim_id: {DEEPSEEK}\n#   model_id: <the copy, owner/name>\n" in text
        assert profile.path.startswith(f"{DEEPSEEK}/")


def test_where_the_engine_quantizes_each_profile_says_so_and_what_older_ones_need() -> None:
    asked = SizingRequest(OLMO, Precision.FP8)
    found = AIMProfileGenerator(SIZES, (product_named("MI300X"),)).generate(served_by_id(CATALOG.get(OLMO), asked))
    assert {p.target.mode for p in found} == {
        fit.mode for fit in SIZES.calculate_optimal_partitions(asked, (product_named("MI300X"),))
    }
    assert all(dict(p.engine_args)["quantization"] == "fp8" for p in found)
    assert all("Before vLLM 0.16 it holds all of them" in p.to_yaml() for p in found)


@pytest.mark.parametrize("copy", [copy for copy in copies().values() if copy.by != "AIM"], ids=lambda copy: copy.copy)
def test_a_copy_has_the_models_shape_and_the_precision(copy: Copy) -> None:
    facts = CATALOG.get(copy.copy)
    assert facts.shape == CATALOG.get(copy.model).shape
    assert native_precision(facts) is copy.precision
    assert copy.copy.partition("/")[0] == (copy.model.partition("/")[0] if copy.by == "publisher" else copy.by)
    assert copy.model.partition("/")[2] in copy.copy


@pytest.mark.parametrize("copy", [copy for copy in copies().values() if copy.by != "AIM"], ids=lambda copy: copy.copy)
def test_a_copy_needs_what_was_counted(copy: Copy) -> None:
    counted = SIZES.size(SizingRequest(copy.model, copy.precision))
    assert SIZES.size(SizingRequest(copy.copy)).weights_bytes <= counted.weights_bytes * 1.0003


def test_a_precision_that_aim_serves_from_a_copy_names_the_copy() -> None:
    served = served_by_id(CATALOG.get(LLAMA), SizingRequest(LLAMA, Precision.FP8))
    assert served.model == Model(LLAMA, "amd/Llama-3.1-8B-Instruct-FP8-KV")
    assert served.remarks == ()
