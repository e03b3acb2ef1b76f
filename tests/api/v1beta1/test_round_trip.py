"""Objects that the schema lets through are read and written without loss.

The objects are drawn from the generated schema, so that schema and models are held against each other.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.object import dump
from api.openapi.crd import root_schema
from api.openapi.kind import KINDS, Kind

IDS = [kind.name for kind in KINDS]


def pattern_of(schema: dict[str, Any]) -> str | None:
    """The form of a text: a pattern in a status, the first rule in a spec."""
    first: str = (schema.get("x-kubernetes-validations") or [{"rule": ""}])[0]["rule"]
    found = re.fullmatch(r"self\.matches\(r'(.*)'\)", first)
    return found[1] if found else schema.get("pattern")


def texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        return st.sampled_from(["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000006Z"])
    longest = schema.get("maxLength", 40)
    if pattern := pattern_of(schema):
        whole = pattern.removesuffix("$") + r"\Z"
        return st.from_regex(whole).filter(lambda text: len(text) <= longest)
    return st.text("abc/-", min_size=schema.get("minLength", 0), max_size=min(longest, 12))


def lists(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    keys = schema.get("x-kubernetes-list-map-keys")
    unique: Callable[[Any], Any] | None = (lambda item: tuple(item[key] for key in keys)) if keys else None
    if schema.get("x-kubernetes-list-type") == "set":
        unique = str
    return st.lists(
        values(schema["items"]),
        min_size=schema.get("minItems", 0),
        max_size=min(schema["maxItems"], 3),
        unique_by=unique,
    )


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return st.dictionaries(st.text("ab", min_size=1), st.none() | st.integers(), max_size=2)
    if "additionalProperties" in schema:
        return st.dictionaries(
            st.text("ab", min_size=1, max_size=3), values(schema["additionalProperties"]), max_size=2
        )
    required = set(schema.get("required", ()))
    children = {name: values(child) for name, child in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: child for name, child in children.items() if name in required},
        optional={name: child for name, child in children.items() if name not in required},
    )


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "string":
            return texts(schema)
        case "integer":
            return st.integers(schema.get("minimum", -(2**40)), schema.get("maximum", 2**40))
        case "boolean":
            return st.booleans()
        case "array":
            return lists(schema)
        case "object":
            return objects(schema)
    raise AssertionError(f"no strategy for {schema}")


def contained(part: Any, whole: Any) -> bool:
    """Whether ``whole`` says all that ``part`` says; defaults may have come in."""
    if isinstance(part, dict):
        return all(name in whole and contained(value, whole[name]) for name, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(contained, part, whole))
    return bool(part == whole)


@pytest.mark.parametrize("kind", KINDS, ids=IDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_nothing_of_spec_and_status_is_lost(kind: Kind, data: st.DataObject) -> None:
    model = kind.versions["v1beta1"].model
    properties = root_schema(model)["properties"]
    given_object = {part: data.draw(values(properties[part]), label=part) for part in ("spec", "status")}
    read = model.model_validate(given_object)
    written = dump(read)
    assert contained(given_object, written)
    assert model.model_validate(written) == read
