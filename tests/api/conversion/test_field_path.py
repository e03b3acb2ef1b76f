"""Hub fields in the words of the flat version."""

import re

import pytest

from api.conversion.convert import MAPPINGS
from api.conversion.field_path import flat_field, flat_text, flat_values

SERVICE, POLICY = MAPPINGS["InferenceService"], MAPPINGS["GPUSharingPolicy"]

SERVICE_FIELDS = [
    ("spec.model.id", "a/b", "spec.modelId", "a/b"),
    ("spec.gpuSharing.partition.mode", "CPX/NPS4", "spec.partition", "CPX/NPS4"),
    ("spec.gpuSharing.partition.minMemory", "200Gi", "spec.memoryGB", "200"),
    ("spec.gpuSharing.partition.count", "2", "spec.partitionCount", "2"),
    ("spec.qos.class", "realtime", "spec.qosLevel", "high"),
    ("spec.qos.class", "gold", "spec.qosClass", "gold"),
    ("spec.qos.slo[0].threshold", "0s", "spec.sloLatencyMs", "0s"),
    ("spec.predictor.containers[0].env", "x", "spec.predictor.containers[0].env", "x"),
    ("metadata.namespace", "team-a", "metadata.namespace", "team-a"),
]


@pytest.mark.parametrize(("path", "value", "want_path", "want_value"), SERVICE_FIELDS)
def test_a_services_field_is_named_as_it_was_written(path: str, value: str, want_path: str, want_value: str) -> None:
    assert flat_field(SERVICE, path, value) == (want_path, want_value)


POLICY_FIELDS = [
    ("spec.nodeSelector", "spec.nodeLabels"),
    ("spec.namespaceSelector", "spec.namespaceLabels"),
    ("spec.repartition.windows[2].timezone", "spec.windows[2].timezone"),
    ("spec.repartition.windows[2]", "spec.windows[2]"),
    ("spec.quotas[0].namespace", "spec.quotas[0].namespace"),
    ("spec.nodeSelector.matchExpressions", "spec.nodeSelector.matchExpressions"),
    ("spec.repartition", "spec.repartition"),
]


@pytest.mark.parametrize(("path", "want"), POLICY_FIELDS)
def test_a_policys_field_is_named_as_it_was_written(path: str, want: str) -> None:
    assert flat_field(POLICY, path, "x") == (want, "x")


def test_paths_in_a_sentence_are_renamed() -> None:
    told = "lower spec.model.maxModelLen or maxConcurrency; see metadata.name, or leave spec.qos.class."
    assert flat_text(SERVICE, told) == (
        "lower spec.maxModelLen or maxConcurrency; see metadata.name, or leave spec.qosLevel."
    )
    assert flat_text(POLICY, "while spec.repartition.enabled is false") == "while spec.repartitionEnabled is false"


def test_values_with_names_of_their_own_are_explained() -> None:
    assert flat_values(SERVICE, "spec.qos.class") == "qosLevel high is realtime, medium is standard, low is batch"
    assert flat_values(SERVICE, "spec.gpuSharing.partition.minMemory") == flat_values(SERVICE, "spec.model.id") == ""


@pytest.mark.parametrize("kind", MAPPINGS)
def test_every_place_of_a_row_is_a_field_of_the_flat_schema(kind: str) -> None:
    mapping = MAPPINGS[kind]
    for row in mapping.rows:
        path, _ = flat_field(mapping, f"spec.{'.'.join(row.path)}", "x")
        name = re.fullmatch(r"spec\.(\w+)", path)
        assert name is not None, path
        assert mapping.spoke_schema.below([name[1]]) is not None, path
