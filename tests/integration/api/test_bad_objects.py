"""The API server refuses what cannot be meant, and says field, value and remedy; it takes all that is good."""

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.object import dump
from api.openapi import crd
from api.openapi.kind import KINDS, Kind
from e2e.plane import Plane
from e2e.plane.admin import documents
from e2e.run.processes import OPERATOR
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu_node import gpu_node
from tests.builders.inference_service import inference_service
from tests.builders.plan import plan
from tests.builders.policy import policy_object
from tests.integration.api.bad_objects import BAD_OBJECTS, FLAT, Bad
from tests.integration.api.small_objects import SPECS, small_object

pytestmark = pytest.mark.plane

EXAMPLES = Path(__file__).parents[3] / "examples"
GROUP = "aim.amd.com/v1beta1"


def create_dry(plane: Plane, obj: dict[str, Any]) -> tuple[int, str]:
    """Status and message of a creation, as the operator, that is not kept."""
    collection = plane.admin.path_of(obj).rpartition("/")[0]
    status, body = plane.admin.acting_as(OPERATOR).raw("POST", f"{collection}?dryRun=All&fieldValidation=Strict", obj)
    return status, json.loads(body).get("message", "")


@pytest.mark.parametrize("row", [*BAD_OBJECTS, *FLAT], ids=str)
def test_a_bad_object_is_refused_with_field_value_and_remedy(plane: Plane, row: Bad) -> None:
    status, message = create_dry(plane, row.object)
    assert status == http.client.UNPROCESSABLE_ENTITY, message
    for problem in row.problems:
        assert [part for part in problem if part not in message] == [], message


def test_the_table_is_as_large_as_it_claims() -> None:
    said = {kind.name: "\n".join(map(str, rules_of(kind))) for kind in KINDS}
    by_rule = [row for row in BAD_OBJECTS if all(problem.remedy in said[row.kind] for problem in row.problems)]
    assert len(BAD_OBJECTS) >= 60
    assert len(by_rule) >= 30
    assert min(Counter(row.kind for row in BAD_OBJECTS)[kind.name] for kind in KINDS) >= 5
    assert len([row for row in BAD_OBJECTS if len(row.problems) == 2]) >= 8


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_rule_is_left_out_of_the_table(kind: Kind) -> None:
    remedies = [problem.remedy for row in BAD_OBJECTS if row.kind == kind.name for problem in row.problems]
    of_one_object = [
        rule for rule in rules_of(kind) if not rule["rule"].startswith("self.matches") and "oldSelf" not in str(rule)
    ]
    assert [rule for rule in of_one_object if not any(remedy in str(rule) for remedy in remedies)] == []


def rules_of(kind: Kind) -> list[dict[str, str]]:
    """The CEL rules of the stored version, from the schema's root down."""

    def below(node: Any) -> Iterator[dict[str, str]]:
        if isinstance(node, dict):
            yield from node.get("x-kubernetes-validations", ())
            for child in node.values():
                yield from below(child)

    return list(below(crd.crd(kind)["spec"]["versions"][0]))


def as_new(obj: dict[str, Any]) -> dict[str, Any]:
    """A builder's object as somebody would create it."""
    metadata = {"name": obj["metadata"]["name"], "namespace": "default"}
    return {"apiVersion": GROUP, "kind": obj["kind"], "metadata": metadata, "spec": obj["spec"]}


def good_objects() -> Iterator[dict[str, Any]]:
    for kind in SPECS:
        yield small_object(kind)
    for file in (*sorted(EXAMPLES.glob("*.yaml")), *sorted(EXAMPLES.glob("repartition/*.yaml"))):
        yield from (as_new(each) for each in documents(file) if each["apiVersion"] == GROUP)
    service = inference_service(
        gpuSharing={"isolation": "cooperative", "shareGroup": "team", "partition": {"minMemory": "1Pi"}},
        qos={"slo": [{"metric": "queueWait", "threshold": "0.1s", "objective": "100"}], "queue": {"maxLength": 0}},
        replicas=2,
        maxReplicas=2,
    )
    longest = {"cooldown": "720h", "windows": [{"start": "22:00", "end": "04:00", "days": ["Sat", "Sun"]}]}
    shared = policy_object(
        namespace_labels={"team": "a"}, quotas=[{"namespace": "a", "min": "1Gi", "max": "1024Mi"}], repartition=longest
    )
    operation = {"id": "o", "from": plan()["spec"]["from"], "to": plan()["spec"]["to"]}
    yield from map(as_new, (dump(service), shared, claim(memory=None), bound_claim(), gpu_node(), plan(claim_uid="u")))
    yield as_new(gpu_node() | {"spec": {"operation": operation}})


@pytest.mark.parametrize("obj", list(good_objects()), ids=lambda obj: f"{obj['kind']} {obj['metadata']['name']}")
def test_a_good_object_is_accepted(plane: Plane, obj: dict[str, Any]) -> None:
    assert create_dry(plane, obj) == (http.client.CREATED, "")
