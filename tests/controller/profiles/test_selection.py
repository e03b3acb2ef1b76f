import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from controller.gpu.mode import mode
from controller.gpu.product import PRODUCTS, UnknownProduct, product_named
from controller.profiles.aim_profile import CUSTOM_DIRECTORY, Metric
from controller.profiles.selection import CONFIG_MAP_BYTES, DoesNotFit, Place, ServiceProfiles, TooLarge, metric_of
from controller.sizing.engine_support import ENGINE_PRODUCTS, runs
from controller.sizing.errors import UnknownModel
from controller.sizing.precision import Precision
from tests.builders.profile import LISTED, SIZES, service

QWEN = "Qwen/Qwen3-32B"
OLMO = "allenai/OLMo-2-0325-32B-Instruct"


def of(*arguments: Any, **fields: Any) -> ServiceProfiles:
    return ServiceProfiles(SIZES, service(*arguments, **fields))


def place(text: str = "CPX/NPS4", product: str = "MI300X", **fields: Any) -> Place:
    where = mode(text)
    size = product_named(product).partition_bytes(where) if product in PRODUCTS else 24574 << 20
    values: dict[str, Any] = {"product": product, "mode": where, "partition_bytes": size}
    return Place(**values | fields)


def test_another_mode_takes_another_profile() -> None:
    profiles = of(precision="fp8")
    assert (
        profiles.select(place("CPX/NPS4")).profile_id
        == "custom/meta-llama/Llama-3.1-8B-Instruct/vllm-mi300x-fp8-tp1-latency-cpx-nps4"
    )
    assert (
        profiles.select(place("DPX/NPS2")).profile_id
        == "custom/meta-llama/Llama-3.1-8B-Instruct/vllm-mi300x-fp8-tp1-latency-dpx-nps2"
    )


def test_the_profile_of_a_placement_is_in_the_config_map_with_the_same_arguments() -> None:
    profiles = of(precision="int8")
    data = profiles.config_map_data()
    for metric in Metric:
        selected = profiles.select(place(), metric)
        assert selected.profile_id is not None
        file = data[selected.profile_id.rpartition("/")[2] + ".yaml"]
        assert yaml.safe_load(file)["engine_args"] == json.loads(selected.engine_args)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_a_services_count_of_partitions_is_its_profiles_count(count: int) -> None:
    profiles = of(precision="int4", count=count)
    selected = profiles.select(place(count=count))
    assert selected.profile_id == f"custom/general/vllm-mi300x-int4-tp{count}-latency-cpx-nps4"
    assert json.loads(selected.engine_args)["tensor-parallel-size"] == count
    assert all(f"-tp{count}-" in name for name in profiles.config_map_data())


def test_what_the_hardware_reports_decides_the_engines_share() -> None:
    small, usual = (of(precision="int4").select(place(partition_bytes=size << 20)) for size in (20000, 24574))
    shares = [json.loads(selected.engine_args)["gpu-memory-utilization"] for selected in (small, usual)]
    assert shares[0] < shares[1]
    assert small.profile_id == usual.profile_id


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(place(product="unknown (0x1234)"), id="a product of no table"),
        pytest.param(place(mode=mode("CPX/NPS2"), partition_bytes=24574 << 20), id="a mode of virtual functions alone"),
        pytest.param(place("SPX/NPS1", "MI100"), id="a product without the engine"),
        pytest.param(place(count=2), id="more partitions than the service asks for"),
    ],
)
def test_a_place_without_a_profile_has_its_arguments_all_the_same(where: Place) -> None:
    selected = of(precision="int4").select(where)
    assert selected.profile_id is None
    assert json.loads(selected.engine_args)["max-model-len"] == 8192


def test_a_place_that_is_too_small_is_refused() -> None:
    with pytest.raises(
        DoesNotFit, match=r"CPX/NPS4' is less than the \d+ bytes that .* needs .*take larger partitions"
    ):
        of(QWEN, "bf16").select(place())


def test_a_place_that_just_fits_is_taken() -> None:
    profiles = of(precision="int4")
    need = profiles.select(place()).sizing.total_bytes
    assert profiles.select(place(partition_bytes=need)).profile_id is not None
    with pytest.raises(DoesNotFit):
        profiles.select(place(partition_bytes=need - 1))


def test_an_unknown_model_is_the_sizings_error() -> None:
    with pytest.raises(UnknownModel):
        of("no/such-model").config_map_data()


def test_profiles_leave_the_model_to_the_container() -> None:
    profiles = of(QWEN, "bf16")
    assert profiles.mount_path == f"{CUSTOM_DIRECTORY}/general"
    assert all("model_id" not in yaml.safe_load(text) for text in profiles.config_map_data(["MI300X"]).values())


def test_a_precision_that_aim_serves_from_a_copy_loads_the_copy() -> None:
    profiles = of(QWEN, "fp8")
    assert profiles.mount_path == CUSTOM_DIRECTORY
    texts = profiles.config_map_data(["MI300X"]).values()
    assert {yaml.safe_load(text)["model_id"] for text in texts} == {"Qwen/Qwen3-32B-FP8"}


def test_a_container_that_names_its_checkpoint_keeps_it() -> None:
    profiles = of(QWEN, "fp8", names_model=True)
    assert profiles.mount_path == f"{CUSTOM_DIRECTORY}/general"
    assert profiles.select(place("DPX/NPS2")).profile_id == "custom/general/vllm-mi300x-fp8-tp1-latency-dpx-nps2"


@pytest.mark.parametrize(
    "model_id",
    [
        pytest.param("allenai/OLMo-2-0325-32B-Instruct", id="dense"),
        pytest.param("Qwen/Qwen3-30B-A3B-Base", id="a mixture"),
        pytest.param("deepseek-ai/DeepSeek-V2-Lite-Chat", id="latent attention"),
    ],
)
def test_fp8_of_a_model_without_a_copy_is_made_by_the_engine(model_id: str) -> None:
    profiles = of(model_id, "fp8")
    texts = profiles.config_map_data(["MI300X"]).values()
    assert {yaml.safe_load(text)["engine_args"].get("quantization") for text in texts} == {"fp8"}
    selected = profiles.select(place("DPX/NPS2"))
    assert json.loads(selected.engine_args)["quantization"] == "fp8"
    assert selected.profile_id == "custom/general/vllm-mi300x-fp8-tp1-latency-dpx-nps2"


def test_a_partition_that_holds_what_is_served_but_not_its_loading_is_too_small() -> None:
    asked = service("deepseek-ai/DeepSeek-V2-Lite-Chat", "fp8", max_model_len=1024, max_concurrency=1)
    served = SIZES.size(asked.request)
    room = place(partition_bytes=served.total_bytes)
    with pytest.raises(DoesNotFit):
        ServiceProfiles(SIZES, asked).select(room)
    named = ServiceProfiles(SIZES, replace(asked, names_model=True)).select(room)
    assert (named.sizing.weights_bytes, named.sizing.loading_bytes) == (served.weights_bytes, 0)


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        pytest.param((OLMO, "bf16"), {}, id="the published weights"),
        pytest.param((OLMO, "int8"), {}, id="int8, which no engine makes"),
        pytest.param((QWEN, "fp8"), {}, id="a known copy"),
        pytest.param(("deepseek-ai/DeepSeek-V3", "fp8"), {"count": 8}, id="published in fp8"),
        pytest.param((OLMO, "fp8"), {"names_model": True}, id="a container that names its checkpoint"),
    ],
)
def test_what_is_loaded_as_it_is_is_not_quantized(asked: tuple[str, str], fields: dict[str, Any]) -> None:
    profiles = of(*asked, **fields)
    selected = profiles.select(place("SPX/NPS1", count=fields.get("count", 1)))
    assert "quantization" not in json.loads(selected.engine_args)
    texts = profiles.config_map_data(["MI300X"]).values()
    assert all("quantization" not in yaml.safe_load(text)["engine_args"] for text in texts)


def test_sharers_pin_their_cache_in_profile_and_arguments() -> None:
    profiles = of(precision="int4", cooperative=True)
    pinned = json.loads(profiles.select(place("SPX/NPS1")).engine_args)["kv-cache-memory-bytes"]
    texts = profiles.config_map_data(["MI300X"]).values()
    assert {yaml.safe_load(text)["engine_args"]["kv-cache-memory-bytes"] for text in texts} == {pinned}


@pytest.mark.parametrize("model_id", LISTED)
def test_the_profiles_of_any_model_go_into_a_config_map(model_id: str) -> None:
    data = of(model_id, "auto").config_map_data()
    assert sum(len(key) + len(value.encode()) for key, value in data.items()) < CONFIG_MAP_BYTES / 4
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) for key in data)


def test_the_data_is_the_same_each_time() -> None:
    assert list(of().config_map_data().items()) == list(of().config_map_data().items())
    assert of().config_map_data(["MI325X", "MI300X"]) == of().config_map_data(["MI300X", "MI325X", "MI300X"])


def test_more_than_a_config_map_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.profiles.selection.CONFIG_MAP_BYTES", 2000)
    with pytest.raises(TooLarge, match="name fewer products"):
        of().config_map_data()


def test_an_unknown_product_is_refused() -> None:
    with pytest.raises(UnknownProduct, match="H100"):
        of().config_map_data(["H100"])


def test_batch_is_tuned_for_throughput_and_the_rest_for_latency() -> None:
    assert [metric_of(name) for name in ("batch", "realtime", "standard", None)] == [
        Metric.THROUGHPUT,
        *[Metric.LATENCY] * 3,
    ]


def test_the_engine_runs_on_what_its_makers_say() -> None:
    assert {product.name for product in PRODUCTS.values()} - {product.name for product in ENGINE_PRODUCTS} == {"MI100"}
    assert not runs(product_named("MI210"), Precision.FP8)
    assert runs(product_named("MI210"), Precision.BF16)
    assert runs(product_named("MI308X"), Precision.FP8)
