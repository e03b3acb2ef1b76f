"""pydantic's JSON schema becomes structural, or is refused by place."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from api.markers import Rule, rules
from api.openapi.structural_schema import SchemaError, structural_schema, without_defaults


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    model_config = {"json_schema_extra": rules(Rule("self.size > 1", "too small"))}
    size: int = Field(default=2, gt=0, description="Size.")


class Outer(BaseModel):
    colour: Colour = Field(default=Colour.RED, description="Colour.")
    fixed: Literal["x"] = Field(default="x", description="Fixed.")
    maybe: int | None = Field(default=None, ge=1, description="Maybe.")
    port: int | str = Field(description="Port.")
    labels: dict[str, Annotated[str, Field(max_length=5)]] = Field(default_factory=dict, description="Labels.")
    anything: dict[str, Any] = Field(default_factory=dict, description="Anything.")
    inner: Inner = Field(
        default_factory=Inner, description="Beside.", json_schema_extra=rules(Rule("self.size < 9", "too large"))
    )
    several: list[Inner] = Field(default_factory=lambda: [Inner(size=3)], max_length=4, description="Several.")
    none: list[Inner] = Field(default_factory=list, max_length=4, description="None.")


PROPERTIES = structural_schema(Outer)["properties"]


@pytest.mark.parametrize(
    ("field", "want"),
    [
        pytest.param("colour", {"type": "string", "enum": ["red", "blue"], "default": "red"}, id="an enum is inlined"),
        pytest.param("fixed", {"type": "string", "enum": ["x"], "default": "x"}, id="const becomes enum"),
        pytest.param("maybe", {"type": "integer", "minimum": 1, "format": "int64"}, id="null is dropped"),
        pytest.param("port", {"x-kubernetes-int-or-string": True}, id="int or string"),
        pytest.param(
            "labels", {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}}, id="a map"
        ),
        pytest.param(
            "anything",
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            id="a free object is preserved",
        ),
    ],
)
def test_a_field_becomes(field: str, want: dict[str, Any]) -> None:
    assert {key: value for key, value in PROPERTIES[field].items() if key != "description"} == want


def test_the_fields_description_wins_over_the_models() -> None:
    assert PROPERTIES["inner"]["description"] == "Beside."


def test_rules_of_the_model_and_of_the_field_both_hold() -> None:
    assert [rule["rule"] for rule in PROPERTIES["inner"]["x-kubernetes-validations"]] == [
        "self.size > 1",
        "self.size < 9",
    ]


def test_an_exclusive_bound_is_a_flag() -> None:
    size = PROPERTIES["inner"]["properties"]["size"]
    assert (size["minimum"], size["exclusiveMinimum"]) == (0, True)


def test_a_default_struct_is_empty_so_that_its_fields_defaults_apply() -> None:
    assert PROPERTIES["inner"]["default"] == {}


def test_a_default_list_is_written_out_and_an_empty_one_left_out() -> None:
    assert PROPERTIES["several"]["default"] == [{"size": 3}]
    assert "default" not in PROPERTIES["none"]


def test_defaults_can_be_taken_off_everywhere() -> None:
    assert "'default'" not in str(without_defaults(structural_schema(Outer)))


class Recursive(BaseModel):
    child: "Recursive | None" = None


class Union(BaseModel):
    either: Inner | list[str]


class Untyped(BaseModel):
    anything: Any


class BoundedUnion(BaseModel):
    either: Annotated[int, Field(ge=1)] | str


@pytest.mark.parametrize(
    ("model", "want"),
    [
        pytest.param(Recursive, "contains itself", id="a model within itself"),
        pytest.param(Union, r"Union\.either: anyOf", id="a union"),
        pytest.param(BoundedUnion, "anyOf", id="a union whose bound would be lost"),
        pytest.param(Untyped, r"Untyped\.anything: no type", id="no type"),
    ],
)
def test_what_cannot_be_said_is_refused_by_place(model: type[BaseModel], want: str) -> None:
    with pytest.raises(SchemaError, match=want):
        structural_schema(model)
