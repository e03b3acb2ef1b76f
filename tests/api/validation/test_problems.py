"""The rules in Python: they say no to the same objects as the CEL rules do, about the same fields.

The table is the one that the API server is held against.
"""

from typing import Any

import pytest
from pydantic import ValidationError

from api.v1beta1 import GPUSharingPolicy, InferenceService, ModelProfile
from api.validation import problems
from tests.integration.api.bad_objects import BAD_OBJECTS, Bad
from tests.integration.api.small_objects import small_object

Checked = InferenceService | GPUSharingPolicy | ModelProfile

MODELS: dict[str, type[Checked]] = {
    "InferenceService": InferenceService,
    "GPUSharingPolicy": GPUSharingPolicy,
    "ModelProfile": ModelProfile,
}
ROWS = [row for row in BAD_OBJECTS if row.kind in MODELS]


def read(obj: dict[str, Any]) -> Checked:
    return MODELS[obj["kind"]].model_validate(obj)


def readable(row: Bad) -> bool:
    """Whether the model takes the object: types, forms and bounds hold, what is wrong is left to the rules."""
    try:
        read(row.object)
    except ValidationError:
        return False
    return True


OF_RULES = [row for row in ROWS if readable(row)]


@pytest.mark.parametrize("row", OF_RULES, ids=str)
def test_a_broken_rule_is_named_by_field_value_and_remedy(row: Bad) -> None:
    found = problems(read(row.object))
    assert [problem.path for problem in found] == [wanted.field for wanted in row.problems]
    for problem, wanted in zip(found, row.problems, strict=True):
        assert wanted.remedy in problem.message
        assert wanted.value in problem.message


def test_the_table_reaches_the_rules() -> None:
    assert len(OF_RULES) >= 42


@pytest.mark.parametrize("kind", MODELS)
def test_a_good_object_has_no_problem(kind: str) -> None:
    assert problems(read(small_object(kind))) == []


@pytest.mark.parametrize(
    ("least", "most", "want"),
    [
        pytest.param("0.2", "0.1", 1, id="fractions of a byte are compared, too"),
        pytest.param("1Gi", "1024Mi", 0, id="one amount in two units"),
        pytest.param("9999999999999999999Pi", "9223372036854775807", 0, id="above 2**63 - 1 binary units are one"),
        pytest.param("9999999999999999999P", "9223372036854775807", 1, id="and decimal ones are not"),
        pytest.param("1G", "1Gi", 0, id="decimal and binary units"),
        pytest.param("1Gi", "1G", 1, id="binary and decimal units"),
    ],
)
def test_quotas_are_compared_as_the_api_server_does(least: str, most: str, want: int) -> None:
    quota = {"namespace": "a", "min": least, "max": most}
    assert len(problems(read(small_object("GPUSharingPolicy", {"quotas": [quota]})))) == want


def test_a_problem_reads_as_a_sentence() -> None:
    (problem,) = problems(read(small_object("InferenceService", {"replicas": 3, "maxReplicas": 2})))
    assert str(problem) == (
        "spec.replicas: replicas 3 is larger than maxReplicas 2: lower replicas or raise maxReplicas"
    )
