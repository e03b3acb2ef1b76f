"""At the borders of the rules, the API server and `api.validation` say the same."""

import http.client
from typing import Any

import pytest

from api.v1beta1 import GPUSharingPolicy, InferenceService
from api.validation import problems
from e2e.plane import Plane
from tests.integration.api.small_objects import small_object

pytestmark = pytest.mark.plane

MODELS: dict[str, type[InferenceService | GPUSharingPolicy]] = {
    "InferenceService": InferenceService,
    "GPUSharingPolicy": GPUSharingPolicy,
}
MIN_MEMORY = "gpuSharing.partition.minMemory"


def quota(least: str, most: str) -> dict[str, Any]:
    return {"quotas": [{"namespace": "a", "min": least, "max": most}]}


def slo(**fields: str) -> dict[str, Any]:
    return {"qos.slo": [{"metric": "queueWait", "threshold": "1s"} | fields]}


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("InferenceService", {MIN_MEMORY: "1Pi"}),
    ("InferenceService", {MIN_MEMORY: "1024Ti"}),
    ("InferenceService", {MIN_MEMORY: "0.000000001"}),
    ("InferenceService", {"replicas": 4, "maxReplicas": 4}),
    ("InferenceService", {"replicas": 0, "maxReplicas": 1}),
    ("InferenceService", {"qos.guarantees": {"minConcurrency": 3, "maxConcurrency": 3}}),
    ("InferenceService", slo(threshold="0h0.001s", objective="0.001")),
    ("InferenceService", slo(objective="100")),
    ("InferenceService", {"qos.queue.timeout": "1ms"}),
    ("GPUSharingPolicy", {"repartition.cooldown": "720h"}),
    ("GPUSharingPolicy", {"repartition.cooldown": "2592000s"}),
    ("GPUSharingPolicy", {"repartition.cooldown": "0s"}),
    ("GPUSharingPolicy", {"defragmentation": {"after": "0s", "rest": "720h"}}),
    ("GPUSharingPolicy", quota("0.1", "0.1")),
    ("GPUSharingPolicy", quota("1Gi", "1024Mi")),
    ("GPUSharingPolicy", quota("9999999999999999999Pi", "9223372036854775807")),
    ("GPUSharingPolicy", quota("0", "0")),
]
BAD: list[tuple[str, dict[str, Any]]] = [
    ("InferenceService", {MIN_MEMORY: "1125899906842625"}),
    ("InferenceService", {MIN_MEMORY: "1.000000001Pi"}),
    ("InferenceService", {MIN_MEMORY: "0.000000000Gi"}),
    ("InferenceService", slo(threshold="0h0m0s0ms")),
    ("InferenceService", slo(objective="00.000")),
    ("GPUSharingPolicy", {"repartition.cooldown": "720h1ms"}),
    ("GPUSharingPolicy", {"defragmentation": {"rest": "720h1ms"}}),
    ("GPUSharingPolicy", {"repartition.cooldown": "2592000.001s"}),
    ("GPUSharingPolicy", {"repartition.cooldown": "999999999h999999999h999999999h999999999h"}),
    ("GPUSharingPolicy", {"repartition.cooldown": "999999999m"}),
    ("GPUSharingPolicy", quota("0.2", "0.1")),
    ("GPUSharingPolicy", quota("1Gi", "1G")),
    ("GPUSharingPolicy", quota("9223372036854775809", "9223372036854775808")),
    ("GPUSharingPolicy", quota("9999999999999999999P", "9223372036854775807")),
]


@pytest.mark.parametrize(("kind", "changes"), [*GOOD, *BAD], ids=str)
def test_both_say_the_same(plane: Plane, kind: str, changes: dict[str, Any]) -> None:
    obj = small_object(kind, changes)
    collection = plane.admin.path_of(obj).rpartition("/")[0]
    status, body = plane.admin.raw("POST", f"{collection}?dryRun=All", obj)
    want = http.client.CREATED if (kind, changes) in GOOD else http.client.UNPROCESSABLE_ENTITY
    assert status == want, body
    assert bool(problems(MODELS[kind].model_validate(obj))) == (want != http.client.CREATED)
