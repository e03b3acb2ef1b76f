"""The flat models: what an object that says the least means, and what it is called."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.group import V1ALPHA1, V1BETA1
from api.object import dump
from api.openapi.crd import crd
from api.openapi.kind import GPU_SHARING_POLICY, INFERENCE_SERVICE, Kind
from api.v1alpha1 import GPUSharingPolicy, InferenceService

TWO = [INFERENCE_SERVICE, GPU_SHARING_POLICY]


def test_a_flat_service_needs_a_model_only() -> None:
    spec = InferenceService.model_validate({"spec": {"modelId": "Qwen/Qwen3-8B"}}).spec
    assert (spec.min_instances, spec.partition_count, spec.isolation, spec.memory_gb) == (1, 1, "hardware", None)


def test_memory_is_spelt_with_two_capitals() -> None:
    service = InferenceService.model_validate({"spec": {"modelId": "a/b", "memoryGB": "24"}})
    assert dump(service)["spec"]["memoryGB"] == "24"


@pytest.mark.parametrize("text", ["24Gi", "-1", "", "1e3", ".5", "24."])
def test_memory_is_decimal_text(text: str) -> None:
    with pytest.raises(ValidationError):
        InferenceService.model_validate({"spec": {"modelId": "a/b", "memoryGB": text}})


def test_a_flat_policy_repartitions_nothing_unless_told_to() -> None:
    spec = GPUSharingPolicy.model_validate({"metadata": {"name": "p"}}).spec
    assert (spec.repartition_enabled, spec.repartition_approval, spec.cooldown) == (False, "Manual", "10m")
    assert [found.name for found in spec.qos_classes] == ["realtime", "standard", "batch"]


@pytest.mark.parametrize("kind", TWO, ids=lambda kind: kind.name)
def test_the_hub_is_stored_and_both_are_served(kind: Kind) -> None:
    versions = crd(kind)["spec"]["versions"]
    assert [(found["name"], found["storage"], found["served"]) for found in versions] == [
        (V1BETA1, True, True),
        (V1ALPHA1, False, True),
    ]


@pytest.mark.parametrize("kind", TWO, ids=lambda kind: kind.name)
def test_a_flat_spec_is_really_flat(kind: Kind) -> None:
    spec = crd(kind)["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert [name for name, node in spec["properties"].items() if "properties" in node] == []


@pytest.mark.parametrize("kind", TWO, ids=lambda kind: kind.name)
def test_columns_of_the_flat_version_read_fields_that_exist(kind: Kind) -> None:
    fields: dict[str, Any] = crd(kind)["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    read = [column.json_path.removeprefix(".spec.") for column in kind.versions[V1ALPHA1].columns]
    assert [path for path in read if not path.startswith(".") and path not in fields["properties"]] == []
    names = [[column.name for column in version.columns] for version in kind.versions.values()]
    assert names[0] == names[1]


def test_scaling_sets_the_least_number_of_instances() -> None:
    scale = crd(INFERENCE_SERVICE)["spec"]["versions"][1]["subresources"]["scale"]
    assert scale["specReplicasPath"] == ".spec.minInstances"
