import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from referencing import Registry, Resource

from controller.gpu.mode import mode
from controller.profiles.aim_profile import AIMProfile, Argument, Metric, Model, Target, precision_name
from controller.sizing.precision import Precision

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

AIMS_OWN = Path(__file__).parents[2] / "data" / "aim_profiles"
ARGS: tuple[tuple[str, Argument], ...] = (
    ("max-num-seqs", 8),
    ("dtype", "float16"),
    ("gpu-memory-utilization", 0.9),
    ("kv-cache-dtype", "auto"),
    ("max-model-len", 8192),
    ("max-num-batched-tokens", 2048),
    ("tensor-parallel-size", 1),
)
QWEN = Model("Qwen/Qwen3-8B", "Qwen/Qwen3-8B")


def target(**fields: Any) -> Target:
    values: dict[str, Any] = {
        "gpu": "MI300X",
        "mode": mode("CPX/NPS4"),
        "count": 1,
        "precision": Precision.FP16,
        "metric": Metric.LATENCY,
    }
    return Target(**values | fields)


def profile(model: Model | None = QWEN, **fields: Any) -> AIMProfile:
    return AIMProfile(target(**fields), model, ARGS)


@cache
def validator(name: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # two seconds of importing

    folder = files("controller.profiles").joinpath("data")
    schemas = {
        file: json.loads(folder.joinpath(file).read_text())
        for file in ("aim-profile.schema.json", "partition-profile.schema.json")
    }
    registry: Registry[Any] = Registry().with_resources(
        [(file, Resource.from_contents(schema)) for file, schema in schemas.items()]
    )
    Draft202012Validator.check_schema(schemas[name])
    return Draft202012Validator(schemas[name], registry=registry)


FORMAT, OURS = "aim-profile.schema.json", "partition-profile.schema.json"


def errors(name: str, document: Any) -> list[Any]:
    return list(validator(name).iter_errors(document))


def test_the_file_is_named_as_aim_names_it_with_the_mode_at_the_end() -> None:
    assert profile().file_name == "vllm-mi300x-fp16-tp1-latency-cpx-nps4.yaml"
    assert profile(mode=mode("SPX/NPS1"), count=8, metric=Metric.THROUGHPUT).target.stem == (
        "vllm-mi300x-fp16-tp8-throughput-spx-nps1"
    )


def test_mxfp4_is_called_fp4_in_the_metadata_and_mxfp4_in_the_name() -> None:
    of_gpt_oss = profile(precision=Precision.MXFP4)
    assert of_gpt_oss.file_name.startswith("vllm-mi300x-mxfp4-tp1-")
    assert yaml.safe_load(of_gpt_oss.to_yaml())["metadata"]["precision"] == "fp4"


@pytest.mark.parametrize("precision", [each for each in Precision if each is not Precision.AUTO])
def test_every_precision_has_a_name_the_format_knows(precision: Precision) -> None:
    assert (
        precision_name(precision)
        in validator(FORMAT).schema["properties"]["metadata"]["properties"]["precision"]["enum"]
    )


def test_a_profile_of_a_model_is_found_and_chosen_by_the_models_folder() -> None:
    assert profile().path == "Qwen/Qwen3-8B/vllm-mi300x-fp16-tp1-latency-cpx-nps4.yaml"
    assert profile().profile_id == "custom/Qwen/Qwen3-8B/vllm-mi300x-fp16-tp1-latency-cpx-nps4"


def test_a_general_profile_names_no_model() -> None:
    general = profile(model=None)
    assert general.profile_id == "custom/general/vllm-mi300x-fp16-tp1-latency-cpx-nps4"
    assert {"aim_id", "model_id"} & yaml.safe_load(general.to_yaml()).keys() == set()


def test_the_yaml_says_what_the_profile_says() -> None:
    document = yaml.safe_load(profile().to_yaml())
    assert document["model_id"] == "Qwen/Qwen3-8B"
    assert document["engine_args"] == dict(ARGS)
    assert document["env_vars"] == {}
    assert document["metadata"] == {
        "engine": "vllm",
        "gpu": "MI300X",
        "precision": "fp16",
        "gpu_count": 1,
        "metric": "latency",
        "manual_selection_only": True,
        "type": "unoptimized",
        "variant": "cpx-nps4",
    }


def test_texts_that_yaml_would_read_as_something_else_stay_texts() -> None:
    values = ("1", "no", "null", "0x10", "1e3", "", "a: b", "# x", "2026-01-01", "caf\u00e9", "~", "ON")
    odd = AIMProfile(target(), None, ARGS, tuple((f"V{index:02}", value) for index, value in enumerate(values)))
    assert tuple(yaml.safe_load(odd.to_yaml())["env_vars"].values()) == values


def test_arguments_stand_in_order_whatever_order_they_came_in() -> None:
    turned = AIMProfile(target(), QWEN, ARGS[::-1])
    assert turned.to_yaml() == profile().to_yaml()


def test_an_argument_without_a_value_is_a_bare_flag() -> None:
    flag = AIMProfile(target(), None, (("enforce-eager", None),))
    assert yaml.safe_load(flag.to_yaml())["engine_args"] == {"enforce-eager": None}


def test_remarks_are_comments() -> None:
    remarked = AIMProfile(target(), QWEN, ARGS, remarks=("8 GiB of weights",))
    assert remarked.to_yaml().startswith("# 8 GiB of weights\naim_id: ")


def test_without_a_checkpoint_the_file_names_no_model_and_stays_in_the_models_folder() -> None:
    unnamed = profile(model=Model("Qwen/Qwen3-8B", None))
    assert {"aim_id", "model_id"} & yaml.safe_load(unnamed.to_yaml()).keys() == set()
    assert unnamed.path == profile().path


@pytest.mark.parametrize("file", sorted(AIMS_OWN.rglob("*.yaml")), ids=lambda file: file.stem)
def test_profiles_that_amd_wrote_are_valid(file: Path) -> None:
    assert errors(FORMAT, yaml.safe_load(file.read_text(encoding="utf-8"))) == []


def test_there_are_profiles_that_amd_wrote() -> None:
    assert len(list(AIMS_OWN.rglob("*.yaml"))) == 5


@pytest.mark.parametrize("schema", [FORMAT, OURS], ids=["the format", "ours"])
@pytest.mark.parametrize("model", [QWEN, None], ids=["of a model", "general"])
def test_a_profile_is_valid(schema: str, model: Model | None) -> None:
    assert errors(schema, yaml.safe_load(profile(model).to_yaml())) == []


SOMEBODY_ELSES = """
aim_id: deepseek-ai/DeepSeek-R1-Distill-Qwen-32B
model_id: deepseek-ai/DeepSeek-R1-Distill-Qwen-32B
metadata: {engine: vllm, gpu: MI300X, gpu_count: 1, manual_selection_only: false, metric: latency, precision: fp16, type: optimized}
engine_args: {distributed_executor_backend: mp, dtype: float16, no-enable-chunked-prefill: null, compilation-config: {cudagraph_mode: FULL}}
env_vars: {VLLM_DO_NOT_TRACK: '1'}
"""


def test_a_profile_that_amd_would_write_is_valid_and_not_one_of_ours() -> None:
    document = yaml.safe_load(SOMEBODY_ELSES)
    assert errors(FORMAT, document) == []
    assert errors(OURS, document) != []


@pytest.mark.parametrize(
    ("section", "changed"),
    [
        pytest.param("metadata", {"gpu": "H100"}, id="another maker's GPU"),
        pytest.param("metadata", {"precision": "mxfp4"}, id="a precision by another name"),
        pytest.param("metadata", {"gpu_count": 16}, id="more than a host has"),
        pytest.param("metadata", {"colour": "red"}, id="a field that does not exist"),
        pytest.param("engine_args", {"gpu-memory-utilization": 1.2}, id="more than all memory"),
        pytest.param("engine_args", {"max-model-len": "8192"}, id="a number as text"),
        pytest.param("engine_args", {"--max-model-len": 8192}, id="an option with its dashes"),
        pytest.param("env_vars", {"VLLM_DO_NOT_TRACK": 1}, id="a variable that is no text"),
    ],
)
def test_a_profile_that_aim_would_refuse_is_not_valid(section: str, changed: dict[str, Any]) -> None:
    document = yaml.safe_load(profile().to_yaml())
    document[section] |= changed
    assert errors(FORMAT, document) != []


def test_a_model_is_named_by_both_fields_or_none() -> None:
    document = yaml.safe_load(profile().to_yaml())
    del document["aim_id"]
    assert errors(FORMAT, document) != []


@pytest.mark.parametrize("argument", [name for name, _ in ARGS])
def test_ours_leave_no_setting_to_a_default_that_follows_the_device(argument: str) -> None:
    document = yaml.safe_load(profile().to_yaml())
    del document["engine_args"][argument]
    assert errors(FORMAT, document) == []
    assert errors(OURS, document) != []
