"""A mapping that forgets one field, in either direction or in both, loses it every time, and the checks see it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from api.conversion import ConversionError
from api.conversion.convert import MAPPINGS
from api.conversion.kind_mapping import KindMapping
from api.conversion.nested import ABSENT
from tests.builders.schema_strategy import objects, seeded
from tests.fuzz.lossless import spoke_is_kept

DRAWN = 200
EACH = 5
"""Enough are drawn for so many of every field, whatever modules are loaded: hypothesis takes constants out of them."""


def nothing(_: Any) -> Any:
    return ABSENT


MUTATIONS: dict[str, Callable[[KindMapping, str], KindMapping]] = {
    "both ways": lambda mapping, name: replace(mapping, rows=tuple(row for row in mapping.rows if row.field != name)),
    "to the hub": lambda mapping, name: changed(mapping, name, to_hub=nothing),
    "to the spoke": lambda mapping, name: changed(mapping, name, to_spoke=nothing),
}


def changed(mapping: KindMapping, name: str, **change: Any) -> KindMapping:
    rows = tuple(replace(row, **change) if row.field == name else row for row in mapping.rows)
    return replace(mapping, rows=rows)


@cache
def drawn(kind: str) -> list[dict[str, Any]]:
    return seeded(objects(kind, "v1alpha1"), DRAWN, 1)


def with_field(kind: str, name: str) -> list[dict[str, Any]]:
    """A few drawn objects that say something of a field, other than its default."""
    default = MAPPINGS[kind].spoke_schema.properties[name].default
    saying = [obj for obj in drawn(kind) if obj["spec"].get(name, default) not in (default, ABSENT)]
    return saying[:EACH]


FIELDS = [(kind, row.field) for kind, mapping in MAPPINGS.items() for row in mapping.rows]


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[".".join(field) for field in FIELDS])
def test_a_forgotten_field_is_noticed_every_time(kind: str, name: str) -> None:
    using = with_field(kind, name)
    assert len(using) == EACH
    for obj in using:
        spoke_is_kept(MAPPINGS[kind], obj)
        for mutate in MUTATIONS.values():
            with pytest.raises((AssertionError, ConversionError)):
                spoke_is_kept(mutate(MAPPINGS[kind], name), obj)
