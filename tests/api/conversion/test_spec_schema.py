"""Defaults as the API server fills them in, the same in both versions, and the same limits."""

from typing import Any

import pytest

from api.conversion.convert import MAPPINGS
from api.conversion.nested import ABSENT
from api.conversion.row import same
from api.conversion.spec_schema import spec_schema
from api.object import dump
from api.v1beta1 import InferenceService
from tests.builders.schema_strategy import model_of, objects, schema_of, seeded

PAIRS = [(kind, version) for kind in MAPPINGS for version in ("v1beta1", "v1alpha1")]


def contained(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return all(name in whole and contained(value, whole[name]) for name, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(contained, part, whole))
    return bool(part == whole)


@pytest.mark.parametrize(("kind", "version"), PAIRS)
def test_defaults_are_those_of_the_models(kind: str, version: str) -> None:
    model = model_of(kind, version)
    for obj in seeded(objects(kind, version), 60, 3):
        filled = spec_schema(model).defaulted(obj["spec"])
        read = dump(model.model_validate(obj))["spec"]
        assert contained(obj["spec"], filled)
        assert contained(filled, read)
        assert contained(read, with_empties_of(read, filled))


def with_empties_of(under: Any, over: Any) -> Any:
    """`over` with the empty lists and maps that models have and the API server leaves out."""
    if isinstance(under, dict) and isinstance(over, dict):
        empties = {name: value for name, value in under.items() if name not in over and value in ({}, [])}
        return empties | {name: with_empties_of(under.get(name), value) for name, value in over.items()}
    if isinstance(under, list) and isinstance(over, list) and len(under) == len(over):
        return list(map(with_empties_of, under, over))
    return over


def test_null_counts_as_absent_where_a_field_is_declared() -> None:
    filled = spec_schema(InferenceService).defaulted({"replicas": None, "predictor": {"a": None}, "later": None})
    assert (filled["replicas"], filled["predictor"], filled["later"]) == (1, {"a": None}, None)


@pytest.mark.parametrize("garbage", [5, "x", None, [1]])
def test_what_is_no_object_is_left_for_the_schema_to_refuse(garbage: Any) -> None:
    filled = spec_schema(InferenceService).defaulted({"gpuSharing": garbage, "qos": {"slo": garbage}})
    assert garbage is None or (filled["gpuSharing"], filled["qos"]["slo"]) == (garbage, garbage)


def test_defaults_are_not_shared_between_objects() -> None:
    one, other = (MAPPINGS["GPUSharingPolicy"].hub_schema.defaulted({}) for _ in range(2))
    one["qosClasses"][0]["rank"] = 99
    assert other["qosClasses"][0]["rank"] == 0


ROWS = [(kind, row) for kind, mapping in MAPPINGS.items() for row in mapping.rows]


@pytest.mark.parametrize(("kind", "row"), ROWS, ids=[f"{kind}.{row.field}" for kind, row in ROWS])
def test_a_flat_field_takes_what_its_place_takes(kind: str, row: Any) -> None:
    flat = schema_of(kind, "v1alpha1")["properties"]["spec"]["properties"][row.field]
    hub = schema_of(kind, "v1beta1")["properties"]["spec"]
    for name in row.path:
        hub = hub["properties"][name]
    if (row.to_hub, row.to_spoke) == (same, same) and not row.field.startswith("queue"):
        assert limits(flat) == limits(hub)
    mapping = MAPPINGS[kind]
    place = mapping.hub_schema.below(row.path)
    assert place is not None
    in_queue = row.path[:2] == ("qos", "queue")
    assert mapping.spoke_schema.properties[row.field].default == (ABSENT if in_queue else place.default)


def limits(node: dict[str, Any]) -> dict[str, Any]:
    """A node without words: the rules without their messages."""
    said = {key: value for key, value in node.items() if key not in ("description", "x-kubernetes-validations")}
    return said | {"rules": [rule["rule"] for rule in node.get("x-kubernetes-validations", ())]}


@pytest.mark.parametrize("kind", MAPPINGS)
def test_every_flat_field_has_a_row(kind: str) -> None:
    fields = schema_of(kind, "v1alpha1")["properties"]["spec"]["properties"]
    assert list(fields) == [row.field for row in MAPPINGS[kind].rows]
