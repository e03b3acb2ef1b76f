"""What breaks users is found, one planted change a sort; what does not break them passes."""

from typing import Any

import pytest

from api.openapi.schema_changes import Change, Place, Sort, schema_changes

Schema = dict[str, Any]

RULES = "x-kubernetes-validations"
OPTIONAL_NAME = {"type": "object", "properties": {"name": {"type": "string"}}}
REQUIRED_NAME = OPTIONAL_NAME | {"required": ["name"]}


def text(**limits: Any) -> Schema:
    return {"type": "string", "description": "A text."} | limits


def number(**limits: Any) -> Schema:
    return {"type": "integer", "format": "int64"} | limits


def items(**limits: Any) -> Schema:
    return {"type": "array", "items": {"type": "string"}} | limits


def struct(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields}


def ruled(*rules: str, message: str = "no", **fields: Schema) -> Schema:
    return struct(**fields) | {RULES: [{"rule": rule, "message": message} for rule in rules]}


def found(old: Schema, new: Schema) -> list[Change]:
    return list(schema_changes(Place("Kind", "v1", "spec"), old, new))


BREAKING = [
    pytest.param(OPTIONAL_NAME, struct(), "spec.name: removed field: was string, is absent", id="a field is removed"),
    pytest.param(text(), number(), "spec: retyped field: was string, is integer", id="another type"),
    pytest.param(text(), text(format="date-time"), "retyped field: was string, is string (date-time)", id="a format"),
    pytest.param(
        {"type": "object", "additionalProperties": text()}, struct(), "was map, is object", id="a map becomes a struct"
    ),
    pytest.param(text(), {"x-kubernetes-int-or-string": True}, "is integer or string", id="a number too"),
    pytest.param(OPTIONAL_NAME, REQUIRED_NAME, "spec.name: new required field: was optional", id="now required"),
    pytest.param(struct(), REQUIRED_NAME, "spec.name: new required field: was absent", id="a new required field"),
    pytest.param(
        text(default="a"), text(default="b"), "changed default: was default 'a', is default 'b'", id="default"
    ),
    pytest.param(text(), text(default="b"), "changed default: was no default", id="a default appears"),
    pytest.param(text(default="a"), text(), "is no default", id="a default goes"),
    pytest.param(number(minimum=1), number(minimum=2), "tightened limit: was minimum 1, is minimum 2", id="minimum"),
    pytest.param(number(), number(minimum=0), "was no minimum, is minimum 0", id="a first minimum"),
    pytest.param(
        number(minimum=0),
        number(minimum=0, exclusiveMinimum=True),
        "is minimum 0, exclusive",
        id="an exclusive minimum",
    ),
    pytest.param(number(maximum=9), number(maximum=8), "was maximum 9, is maximum 8", id="maximum"),
    pytest.param(number(maximum=9), number(maximum=9, exclusiveMaximum=True), "exclusive", id="an exclusive maximum"),
    pytest.param(number(multipleOf=2), number(multipleOf=4), "is multipleOf 4", id="multiples"),
    pytest.param(number(), number(format="int32"), "is format 'int32'", id="fewer bits"),
    pytest.param(text(), text(minLength=1), "was no minLength, is minLength 1", id="no empty text"),
    pytest.param(text(maxLength=9), text(maxLength=8), "was maxLength 9, is maxLength 8", id="length"),
    pytest.param(items(), items(minItems=1), "is minItems 1", id="no empty list"),
    pytest.param(items(maxItems=9), items(maxItems=8), "is maxItems 8", id="items"),
    pytest.param(struct(), struct() | {"minProperties": 1}, "is minProperties 1", id="no empty map"),
    pytest.param(struct(), struct() | {"maxProperties": 1}, "is maxProperties 1", id="properties"),
    pytest.param(text(), text(pattern="^a$"), "was pattern absent, is pattern ^a$", id="a first pattern"),
    pytest.param(text(pattern="^b?$"), text(pattern="^b$"), "was pattern ^b?$, is pattern ^b$", id="pattern"),
    pytest.param(
        text(), text() | {RULES: [{"rule": "self.matches(r'^a$')"}]}, "is pattern ^a$", id="a pattern as a rule"
    ),
    pytest.param(text(enum=["a", "b"]), text(enum=["a"]), "is enum ['a']", id="a choice is removed"),
    pytest.param(text(), text(enum=["a"]), "was no enum", id="choices where any text was good"),
    pytest.param(text(nullable=True), text(), "null is refused", id="null"),
    pytest.param(
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        {"type": "object"},
        "unknown fields are dropped",
        id="unknown fields",
    ),
    pytest.param(
        ruled(), ruled("self.a > 1"), "new or changed rule: was no such rule, is rule self.a > 1", id="a rule"
    ),
    pytest.param(
        ruled("self.a > 1"), ruled("self.a > 2"), "was rule self.a > 1, is rule self.a > 2", id="another rule"
    ),
    pytest.param(
        struct() | {RULES: [{"rule": "true", "optionalOldSelf": False}]},
        struct() | {RULES: [{"rule": "true", "optionalOldSelf": True}]},
        "new or changed rule",
        id="a rule that holds at creation too",
    ),
    pytest.param(
        struct(a=text()), ruled("!has(self.a) || false", a=text()), "is rule !has(self.a)", id="a rule on an old field"
    ),
    pytest.param(
        struct(), ruled("!has(self.a) || false ? false : true", a=text()), "rule", id="a guard that does not guard"
    ),
    pytest.param(
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ruled("!has(self.a) || false", a=text()) | {"x-kubernetes-preserve-unknown-fields": True},
        "is rule !has(self.a)",
        id="a rule on a field that objects could have before it was described",
    ),
    pytest.param(
        struct(), ruled("!has(self.a) || false", a=text(default="b")), "rule", id="a rule on a field that is defaulted"
    ),
    pytest.param(
        items(), items() | {"x-kubernetes-list-type": "set"}, "was x-kubernetes-list-type atomic", id="list type"
    ),
    pytest.param(
        items() | {"x-kubernetes-list-map-keys": ["a"]},
        items() | {"x-kubernetes-list-map-keys": ["b"]},
        "changed list or map type",
        id="list keys",
    ),
    pytest.param(struct(), struct() | {"x-kubernetes-map-type": "atomic"}, "was x-kubernetes-map-type", id="map type"),
    pytest.param(text(), text() | {"not": {"enum": ["a"]}}, "changed keyword: was no not", id="what nobody judges"),
]


@pytest.mark.parametrize(("old", "new", "want"), BREAKING)
def test_a_change_that_breaks_is_found_once(old: Schema, new: Schema, want: str) -> None:
    (change,) = found(old, new)
    assert want in str(change)
    assert str(change).startswith("Kind v1 spec")
    assert change.sort.breaks


HARMLESS = [
    pytest.param(struct(), OPTIONAL_NAME, id="a new optional field"),
    pytest.param(struct(), struct(a=text(default="b")), id="a new field with a default"),
    pytest.param(
        struct(), struct(a=text(default="b")) | {"required": ["a"]}, id="a required field that is always filled in"
    ),
    pytest.param(REQUIRED_NAME, OPTIONAL_NAME, id="no longer required"),
    pytest.param(text(), text(description="A better text."), id="a better description"),
    pytest.param(number(minimum=2), number(minimum=1), id="a lower minimum"),
    pytest.param(number(minimum=2), number(), id="no minimum"),
    pytest.param(number(minimum=0, exclusiveMinimum=True), number(minimum=0), id="an inclusive minimum"),
    pytest.param(number(maximum=8), number(maximum=9), id="a higher maximum"),
    pytest.param(number(format="int32"), number(), id="more bits"),
    pytest.param(number(multipleOf=4), number(multipleOf=2), id="more multiples"),
    pytest.param(text(maxLength=8, minLength=1), text(maxLength=9), id="another length"),
    pytest.param(items(minItems=1, maxItems=1), items(maxItems=2), id="more items"),
    pytest.param(text(pattern="^a$"), text(), id="no pattern"),
    pytest.param(
        text(pattern="^a$"), text() | {RULES: [{"rule": "self.matches(r'^a$')"}]}, id="a pattern said by a rule"
    ),
    pytest.param(
        text() | {RULES: [{"rule": "self.matches(r'^a$')"}]}, text(pattern="^a$"), id="and the other way round"
    ),
    pytest.param(text(enum=["a"]), text(enum=["b", "a"]), id="another choice"),
    pytest.param(text(enum=["a"]), text(), id="any choice"),
    pytest.param(ruled("self.a > 1"), ruled(), id="no rule"),
    pytest.param(ruled("self.a > 1"), ruled("self.a > 1", message="use 2 or more"), id="a better message"),
    pytest.param(
        struct(b=text()), ruled("!has(self.b) || !has(self.a) || false", a=text(), b=text()), id="a new field's rule"
    ),
    pytest.param(items(), items() | {"x-kubernetes-list-type": "atomic"}, id="what was so by default"),
]


@pytest.mark.parametrize(("old", "new"), HARMLESS)
def test_a_change_that_breaks_nobody_passes(old: Schema, new: Schema) -> None:
    assert found(old, new) == []


def test_a_change_is_found_at_any_depth_and_named_by_its_path() -> None:
    def deep(leaf: Schema) -> Schema:
        return struct(lists={"type": "array", "items": struct(maps={"type": "object", "additionalProperties": leaf})})

    (change,) = found(deep(text()), deep(text(maxLength=3)))
    assert change.place == Place("Kind", "v1", "spec.lists[].maps{}")


def test_below_another_type_nothing_more_is_said() -> None:
    assert [change.sort for change in found(struct(a=struct(b=text())), struct(a=text()))] == [Sort.RETYPED_FIELD]


def test_every_change_of_a_node_is_named() -> None:
    changes = found(struct(a=text(), b=text(), c=text()), struct(a=number(), c=text(maxLength=1)))
    assert [change.sort for change in changes] == [Sort.RETYPED_FIELD, Sort.REMOVED_FIELD, Sort.LIMIT]
