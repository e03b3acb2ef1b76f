"""A pattern becomes a rule that names the remedy, where users write; in a status it stays."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, StringConstraints

from api.markers import Remedy, Rule, rules
from api.openapi.structural_schema import structural_schema
from api.openapi.text_form import by_pattern, by_rule

Word = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.$", max_length=9), Remedy("is no word: write abc")]


class Inner(BaseModel):
    word: Word | None = Field(
        default=None, description="Word.", json_schema_extra=rules(Rule("self != 'no'", "no: yes"))
    )


class Outer(BaseModel):
    words: dict[str, list[Word]] = Field(default_factory=dict, description="Words.")
    inner: Inner = Field(default_factory=Inner, description="Inner.")
    plain: str = Field(default="a", pattern="^a$", description="Without a remedy.")


SCHEMA = structural_schema(Outer)
WRITTEN = {
    "rule": r"self.matches(r'^[a-z]+\.$')",
    "message": "is no word: write abc",
    "messageExpression": """'"' + self + '" is no word: write abc'""",
}


def test_a_rule_takes_the_patterns_place_however_deep() -> None:
    word = by_rule(SCHEMA)["properties"]["words"]["additionalProperties"]["items"]
    assert word == {"type": "string", "maxLength": 9, "x-kubernetes-validations": [WRITTEN]}


def test_the_rule_comes_before_the_fields_own() -> None:
    written = by_rule(SCHEMA)["properties"]["inner"]["properties"]["word"]["x-kubernetes-validations"]
    assert [rule["rule"] for rule in written] == [WRITTEN["rule"], "self != 'no'"]


def test_a_pattern_without_a_remedy_stays() -> None:
    assert by_rule(SCHEMA)["properties"]["plain"]["pattern"] == "^a$"


def test_a_status_keeps_patterns_and_has_no_remedies() -> None:
    kept = by_pattern(SCHEMA)
    assert kept["properties"]["inner"]["properties"]["word"]["pattern"] == r"^[a-z]+\.$"
    assert "x-remedy" not in str(kept)


def test_the_schema_given_is_left_as_it_was() -> None:
    before = str(SCHEMA)
    by_rule(SCHEMA)
    by_pattern(SCHEMA)
    assert str(SCHEMA) == before


def test_a_pattern_that_cel_cannot_quote_is_refused() -> None:
    with pytest.raises(ValueError, match="quote"):
        by_rule({"type": "string", "pattern": "^'$", "x-remedy": "is wrong: write another"})
