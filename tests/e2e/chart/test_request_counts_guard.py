"""The guard of what the gateway counts names every other field of a service's status."""

import re
from typing import Any

from api.object import json_name
from api.v1beta1.inference_service import InferenceServiceStatus
from e2e.chart.installed import the


def guard() -> dict[str, Any]:
    return the("ValidatingAdmissionPolicy", "aim-gpu-request-counts")


def test_the_gateway_may_change_no_field_but_its_own() -> None:
    (rest,) = (
        validation["expression"]
        for validation in guard()["spec"]["validations"]
        if "oldObject" in validation["expression"]
    )
    kept = re.findall(r"object\.\?status\.\?(\w+) == oldObject\.\?status\.\?(\w+)", rest)
    assert all(one == other for one, other in kept)
    fields = {json_name(name) for name in InferenceServiceStatus.model_fields}
    assert {one for one, _ in kept} == fields - {"requestCounts"}
