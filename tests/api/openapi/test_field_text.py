"""A schema node in words."""

from typing import Any

import pytest

from api.openapi.field_text import choices_text, code, default_text, limits_text, messages, pattern, prose, type_text

NAMES = {"^a$": "[AText](#atext)"}
A_RULE = {"rule": "self.matches(r'^a$')", "message": "is no a: write a"}


@pytest.mark.parametrize(
    ("node", "want"),
    [
        ({"type": "integer", "format": "int64"}, "integer"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "time"),
        ({"type": "string", "pattern": "^a$"}, "[AText](#atext)"),
        ({"type": "string", "x-kubernetes-validations": [A_RULE]}, "[AText](#atext)"),
        ({"type": "string", "pattern": "^b$"}, "string"),
        ({"type": "array", "items": {"type": "string"}}, "list of strings"),
        ({"type": "array", "items": {"type": "string", "pattern": "^a$"}}, "list of [AText](#atext)"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "map of integers"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "any object"),
        ({"x-kubernetes-int-or-string": True}, "integer or string"),
    ],
)
def test_a_type(node: dict[str, Any], want: str) -> None:
    assert type_text(node, NAMES) == want


@pytest.mark.parametrize(
    ("node", "want"),
    [
        ({}, ""),
        ({"minimum": 1, "maximum": 5}, "1 to 5"),
        ({"minimum": 1}, "at least 1"),
        ({"maximum": 5}, "at most 5"),
        ({"minimum": 0, "exclusiveMinimum": True, "maximum": 5}, "more than 0; at most 5"),
        ({"maximum": 5, "exclusiveMaximum": True}, "less than 5"),
        ({"multipleOf": 4}, "a multiple of 4"),
        ({"enum": ["a", "b"], "maxLength": 9}, "`a`, `b`"),
        ({"minLength": 1, "maxLength": 9}, "1 to 9 characters"),
        ({"minItems": 1}, "at least 1 item"),
        ({"maxItems": 1}, "at most 1 item"),
        ({"maxItems": 2, "x-kubernetes-list-type": "set"}, "at most 2 items; no duplicates"),
        ({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"]}, "one for each `a` and `b`"),
        (
            {"maxProperties": 3, "additionalProperties": {"maxLength": 9}},
            "at most 3 entries; each value at most 9 characters",
        ),
        ({"items": {"enum": ["a"]}}, "each `a`"),
        ({"items": {"properties": {}, "minProperties": 1}}, ""),
        ({"pattern": "^a$", "maxLength": 9}, ""),
        ({"pattern": "^a$", "maxLength": 8}, "at most 8 characters"),
    ],
)
def test_limits(node: dict[str, Any], want: str) -> None:
    assert limits_text(node, {"^a$": 9}) == want


@pytest.mark.parametrize(
    ("node", "required", "want"),
    [
        ({}, True, "**required**"),
        ({}, False, ""),
        ({"default": 1}, False, "`1`"),
        ({"default": False}, False, "`false`"),
        ({"default": "auto"}, False, "`auto`"),
        ({"default": {}}, False, "those of its fields"),
        ({"default": ["x" * 40]}, False, "see below"),
    ],
)
def test_a_default(node: dict[str, Any], required: bool, want: str) -> None:
    assert default_text(node, required=required) == want


def test_a_rule_that_is_a_pattern_is_no_rule_in_words() -> None:
    rules = {"x-kubernetes-validations": [A_RULE, {"rule": "self != ''", "message": "empty", "fieldPath": ".b"}]}
    assert messages(rules) == [(".b", "empty")]
    assert pattern(rules) == "^a$"


def test_text_is_safe_in_a_cell() -> None:
    assert code("a|b") == "`a\\|b`"
    assert prose("One ``a|b``\n  <c>.") == "One `a\\|b` &lt;c>."
    assert choices_text({"enum": ["a|b"]}) == "`a\\|b`"
