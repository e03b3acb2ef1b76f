"""The stash annotation: written only when there is something to keep, never left behind, nobody else's word."""

from typing import Any

import pytest

from api.group import ONLY_IN_HUB
from tests.builders.versions import flat_service, hub_service, stash_of, to_hub, to_spoke

MIB = {"partition": {"minMemory": "24576Mi"}}


def annotated(obj: dict[str, Any], annotations: dict[str, str] | None) -> dict[str, Any]:
    return obj | {"metadata": {**obj["metadata"], "annotations": annotations}}


def test_nothing_to_keep_writes_nothing() -> None:
    assert to_spoke(hub_service())["metadata"] == hub_service()["metadata"]


def test_what_is_kept_is_compact_json_of_the_difference_alone() -> None:
    text = to_spoke(hub_service(gpuSharing=MIB, replicas=3))["metadata"]["annotations"][ONLY_IN_HUB]
    assert text == '{"gpuSharing.partition.minMemory":{"is":"24576Mi","shown":"24Gi"}}'


def test_it_stands_beside_other_annotations_and_goes_again() -> None:
    hub = annotated(hub_service(gpuSharing=MIB), {"note": "mine"})
    spoke = to_spoke(hub)
    assert set(spoke["metadata"]["annotations"]) == {"note", ONLY_IN_HUB}
    assert to_hub(spoke)["metadata"] == hub["metadata"]


def test_annotations_that_were_not_there_are_not_there_afterwards() -> None:
    assert "annotations" not in to_hub(to_spoke(hub_service(gpuSharing=MIB)))["metadata"]


@pytest.mark.parametrize("annotations", [{}, None, {"note": "mine"}])
def test_annotations_without_a_stash_are_left_alone(annotations: dict[str, str] | None) -> None:
    assert to_hub(annotated(flat_service(), annotations))["metadata"]["annotations"] == annotations
    assert to_spoke(annotated(hub_service(), annotations))["metadata"]["annotations"] == annotations


@pytest.mark.parametrize("spec", [{}, {"gpuSharing": MIB}], ids=["nothing to keep", "something to keep"])
def test_an_annotation_of_that_name_on_a_hub_object_is_dropped(spec: dict[str, Any]) -> None:
    forged = annotated(hub_service(**spec), {ONLY_IN_HUB: '{"qos.slo":{"is":[]}}'})
    assert stash_of(to_spoke(forged)) == stash_of(to_spoke(hub_service(**spec)))


def test_an_empty_object_is_kept_apart_from_none() -> None:
    hub = hub_service(qos={"guarantees": {}})
    spoke = to_spoke(hub)
    assert stash_of(spoke) == {"qos.guarantees": {"is": {}}}
    assert to_hub(spoke)["spec"]["qos"] == {"guarantees": {}}
    spoke["spec"]["maxRate"] = 5
    assert to_hub(spoke)["spec"]["qos"] == {"guarantees": {"maxRate": 5}}


def test_a_field_of_a_later_version_is_kept() -> None:
    spoke = to_spoke(hub_service(gpuSharing={"later": [1]}, alsoLater={"a": 1}))
    assert stash_of(spoke) == {"gpuSharing.later": {"is": [1]}, "alsoLater": {"is": {"a": 1}}}


def test_an_object_of_older_wider_rules_can_still_be_read() -> None:
    spoke = to_spoke(hub_service(gpuSharing={"partition": {"minMemory": "9999999999999999999Pi", "count": 99}}))
    assert spoke["spec"]["partitionCount"] == 99
    assert stash_of(spoke) == {"gpuSharing.partition.minMemory": {"is": "9999999999999999999Pi"}}
