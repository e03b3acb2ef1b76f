"""Names of services: the pattern of the Python rule is the one of the CEL rule, which stands with the kind."""

import pytest

from api.openapi.kind import INFERENCE_SERVICE
from api.v1beta1.inference_service import LONGEST_SERVICE_NAME, SERVICE_NAME_PATTERN, InferenceService
from api.validation import problems


def test_both_rules_have_one_pattern_and_one_length() -> None:
    rules = [rule.rule for rule in INFERENCE_SERVICE.versions["v1beta1"].rules]
    assert any(SERVICE_NAME_PATTERN in rule and f"<= {LONGEST_SERVICE_NAME}" in rule for rule in rules)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("c" * 53, []),
        ("a-1", []),
        ("c" * 54, ["metadata.name"]),
        ("a-", ["metadata.name"]),
        ("A", ["metadata.name"]),
        ("a\n", ["metadata.name"]),
        ("", ["metadata.name"]),
    ],
)
def test_a_name_becomes_a_services(name: str, want: list[str]) -> None:
    service = InferenceService.model_validate({"metadata": {"name": name}, "spec": {"model": {"id": "a/b"}}})
    assert [problem.path for problem in problems(service)] == want
