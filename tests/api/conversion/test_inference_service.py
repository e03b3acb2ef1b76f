"""Each flat field of a service at its place in the hub, and back."""

from typing import Any

import pytest

from tests.builders.versions import flat_service, hub_service, stash_of, to_hub, to_spoke

ROWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"precision": "fp8"}, {"model": {"id": "Qwen/Qwen3-4B", "precision": "fp8"}}),
    ({"maxModelLen": 4096}, {"model": {"id": "Qwen/Qwen3-4B", "maxModelLen": 4096}}),
    ({"maxConcurrency": 3}, {"model": {"id": "Qwen/Qwen3-4B", "maxConcurrency": 3}}),
    ({"profile": "own"}, {"model": {"id": "Qwen/Qwen3-4B", "profileRef": "own"}}),
    ({"partition": "CPX/NPS4"}, {"gpuSharing": {"partition": {"mode": "CPX/NPS4"}}}),
    ({"partitionCount": 2}, {"gpuSharing": {"partition": {"count": 2}}}),
    ({"memoryGB": "23.5"}, {"gpuSharing": {"partition": {"minMemory": "23.5Gi"}}}),
    ({"isolation": "cooperative", "shareGroup": "t"}, {"gpuSharing": {"isolation": "cooperative", "shareGroup": "t"}}),
    ({"policy": "gold"}, {"gpuSharing": {"policyRef": "gold"}}),
    ({"qosLevel": "high"}, {"qos": {"class": "realtime"}}),
    ({"qosLevel": "medium"}, {"qos": {"class": "standard"}}),
    ({"qosLevel": "low"}, {"qos": {"class": "batch"}}),
    ({"qosClass": "gold"}, {"qos": {"class": "gold"}}),
    ({"minRequests": 0, "maxRequests": 8}, {"qos": {"guarantees": {"minConcurrency": 0, "maxConcurrency": 8}}}),
    ({"maxRate": 9}, {"qos": {"guarantees": {"maxRate": 9}}}),
    ({"queueLength": 0, "queueTimeout": "5s"}, {"qos": {"queue": {"maxLength": 0, "timeout": "5s"}}}),
    ({"minInstances": 0, "maxInstances": 4}, {"replicas": 0, "maxReplicas": 4}),
    ({"predictor": {"a.b": [None, {"c": 0.5}]}}, {"predictor": {"a.b": [None, {"c": 0.5}]}}),
]


@pytest.mark.parametrize(("flat", "nested"), ROWS, ids=[" ".join(flat) for flat, _ in ROWS])
def test_a_field_has_its_place(flat: dict[str, Any], nested: dict[str, Any]) -> None:
    spoke, hub = flat_service(**flat), hub_service(**nested)
    assert to_hub(spoke) == to_hub(to_spoke(hub))
    assert to_spoke(hub)["spec"] == to_spoke(to_hub(spoke))["spec"]
    assert (flat.items() <= to_spoke(hub)["spec"].items(), stash_of(to_spoke(hub))) == (True, None)


def test_what_was_defaulted_is_visible_in_either_version() -> None:
    flat = {"precision": "auto", "partitionCount": 1, "isolation": "hardware", "minInstances": 1}
    assert to_spoke(hub_service())["spec"] == {"modelId": "Qwen/Qwen3-4B", **flat}
    assert to_hub(flat_service())["spec"] == {
        "model": {"id": "Qwen/Qwen3-4B", "precision": "auto"},
        "gpuSharing": {"partition": {"count": 1}, "isolation": "hardware"},
        "qos": {},
        "replicas": 1,
    }


def test_a_queue_with_its_defaults_says_both() -> None:
    spec = to_spoke(hub_service(qos={"queue": {}}))["spec"]
    assert (spec["queueLength"], spec["queueTimeout"]) == (1000, "60s")


SIZING = {"memory": "24Gi", "activationBytes": 1, "uncertainty": {"lowBytes": 2, "highBytes": 3}}


@pytest.mark.parametrize("found", [{"sizing": SIZING, "replicas": 1}, {}])
def test_the_status_is_the_same(found: dict[str, Any]) -> None:
    hub = hub_service() | {"status": found}
    assert to_spoke(hub)["status"] == found == to_hub(to_spoke(hub))["status"]
