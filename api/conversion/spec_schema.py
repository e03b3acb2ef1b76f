"""The schema of a spec as conversion needs it: which fields there are, and what the API server fills in.

Defaults are applied by walking the structural schema, as the API server does, and not by validating: reading an
object in the other version must never fail, also when it was written under older, wider rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from api.conversion.nested import ABSENT
from api.object import KubernetesObject
from api.openapi.structural_schema import structural_schema


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a schema. ``items`` belongs to a list, ``properties`` to an object with declared fields."""

    properties: Mapping[str, "Node"] = field(default_factory=dict)
    items: "Node | None" = None
    default: Any = ABSENT

    @property
    def plain(self) -> bool:
        """Whether nothing is declared below: a scalar, a list of scalars, or a map that is kept as written."""
        return not self.properties and self.items is None

    def below(self, path: Sequence[str]) -> "Node | None":
        """The node at ``path``, or None when the schema knows no such field."""
        node: Node | None = self
        for name in path:
            node = node.properties.get(name) if node is not None else None
        return node

    def defaulted(self, value: Any) -> Any:
        """``value`` with what the API server fills in, as a copy as far as fields are declared.

        Null counts as absent; what the schema does not know stays.
        """
        if self.items is not None and isinstance(value, list):
            return [self.items.defaulted(item) for item in value]
        if not self.properties or not isinstance(value, dict):
            return value
        filled = {name: entry for name, entry in value.items() if entry is not None or name not in self.properties}
        for name, child in self.properties.items():
            entry = filled.get(name, child.default)
            if entry is not ABSENT:
                filled[name] = entry if child.plain else child.defaulted(entry)
        return filled


@cache
def spec_schema(model: type[KubernetesObject]) -> Node:
    """The schema of ``spec`` of a kind's version."""
    return _node(structural_schema(model)["properties"]["spec"])


def _node(schema: Mapping[str, Any]) -> Node:
    items = _node(schema["items"]) if "items" in schema else None
    return Node(
        properties={name: _node(child) for name, child in schema.get("properties", {}).items()},
        items=None if items is None or items.plain else items,
        default=schema.get("default", ABSENT),
    )
