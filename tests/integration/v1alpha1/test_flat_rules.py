"""The API server refuses flat objects that cannot be meant, and says field, value and remedy in their own words.

A refusal comes before conversion, so nobody has to answer the conversion webhook here.
"""

import http.client
import json
from typing import Any

import pytest

from e2e.plane import Plane

pytestmark = pytest.mark.plane

SERVICE = {"modelId": "Qwen/Qwen3-8B"}

BAD = [
    pytest.param("InferenceService", {}, ["spec.modelId", "Required value"], id="no model"),
    pytest.param(
        "InferenceService", SERVICE | {"modelId": "a b"}, ["spec.modelId", '"a b"', "Qwen/Qwen3-8B"], id="model"
    ),
    pytest.param(
        "InferenceService", SERVICE | {"memoryGB": "24Gi"}, ["memoryGB", '"24Gi"', "without a unit"], id="a unit"
    ),
    pytest.param(
        "InferenceService", SERVICE | {"memoryGB": "0.0"}, ["memoryGB", '"0.0"', "more than 0"], id="no memory"
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"memoryGB": "1048577"},
        ["memoryGB", '"1048577"', "at most 1048576"],
        id="too much",
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"memoryGB": "9999999999999999999"},
        ["memoryGB", '"9999999999999999999"', "at most 1048576"],
        id="far too much",
    ),
    pytest.param(
        "InferenceService", SERVICE | {"partition": "CPX"}, ["partition", '"CPX"', "CPX/NPS4"], id="half a mode"
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"isolation": "cooperative"},
        ["isolation", "cooperative", "name the group"],
        id="lonely",
    ),
    pytest.param(
        "InferenceService", SERVICE | {"shareGroup": "t"}, ["shareGroup t", "set isolation cooperative"], id="group"
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"qosLevel": "high", "qosClass": "gold"},
        ["spec.qosClass", "qosLevel high and qosClass gold", "leave one out"],
        id="level and class",
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"qosClass": "standard"},
        ["spec.qosClass", "qosClass standard", "use qosLevel medium"],
        id="a class that has a level",
    ),
    pytest.param("InferenceService", SERVICE | {"qosLevel": "gold"}, ["qosLevel", '"gold"', '"high"'], id="no level"),
    pytest.param(
        "InferenceService",
        SERVICE | {"minRequests": 9, "maxRequests": 3},
        ["spec.minRequests", "minRequests 9", "maxRequests 3", "lower the one"],
        id="requests",
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"queueLength": 9},
        ["spec.queueLength", "queueLength 9", "without queueTimeout", "both or neither"],
        id="a length alone",
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"queueTimeout": "9s"},
        ["queueTimeout 9s", "without queueLength", "both or neither"],
        id="a timeout alone",
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"queueTimeout": "0s", "queueLength": 1},
        ["spec.queueTimeout", '"0s"', "set queueLength 0"],
        id="no wait",
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"minInstances": 3, "maxInstances": 2},
        ["spec.minInstances", "minInstances 3", "maxInstances 2", "raise maxInstances"],
        id="instances",
    ),
    pytest.param(
        "InferenceService", SERVICE | {"sloLatencyMs": 0}, ["sloLatencyMs", "0", "greater than or equal to 1"], id="slo"
    ),
    pytest.param(
        "GPUSharingPolicy", {"cooldown": "721h"}, ["cooldown", '"721h"', "repartitionEnabled false"], id="cooldown"
    ),
    pytest.param(
        "GPUSharingPolicy",
        {"nodeLabels": {"zone": "a b"}},
        ["nodeLabels", '"a b"', "cannot be the value of a label"],
        id="label",
    ),
    pytest.param("GPUSharingPolicy", {"allowedModes": ["CPX"]}, ["allowedModes[0]", '"CPX"', "CPX/NPS4"], id="modes"),
    pytest.param(
        "GPUSharingPolicy",
        {"quotas": [{"namespace": "a", "min": "2Gi", "max": "1Gi"}]},
        ["quotas[0].min", "2Gi", "1Gi", "raise max"],
        id="quota",
    ),
    pytest.param(
        "InferenceService",
        SERVICE | {"memoryGB": "0", "minInstances": 3, "maxInstances": 2},
        ["memoryGB", "more than 0", "minInstances 3", "raise maxInstances"],
        id="two problems, both named",
    ),
]


@pytest.mark.parametrize(("kind", "spec", "want"), BAD)
def test_a_bad_flat_object_is_refused_with_field_value_and_remedy(
    plane: Plane, kind: str, spec: dict[str, Any], want: list[str]
) -> None:
    flat = {"apiVersion": "aim.amd.com/v1alpha1", "kind": kind, "metadata": {"name": "checked"}, "spec": spec}
    collection = plane.admin.path_of(flat).rpartition("/")[0]
    status, body = plane.admin.raw("POST", f"{collection}?dryRun=All&fieldValidation=Strict", flat)
    message = json.loads(body).get("message", "")
    assert status == http.client.UNPROCESSABLE_ENTITY, message
    assert [part for part in want if part not in message] == [], message


def test_an_unknown_flat_field_is_named(plane: Plane) -> None:
    flat = {
        "apiVersion": "aim.amd.com/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "checked"},
        "spec": SERVICE | {"memoryGb": "24"},
    }
    collection = plane.admin.path_of(flat).rpartition("/")[0]
    status, body = plane.admin.raw("POST", f"{collection}?dryRun=All&fieldValidation=Strict", flat)
    assert (status, 'unknown field "spec.memoryGb"' in json.loads(body)["message"]) == (http.client.BAD_REQUEST, True)
