"""All rows of one kind, and what a spec of one version says in the other by them alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.conversion.nested import ABSENT, at, put
from api.conversion.row import Row
from api.conversion.spec_schema import Node, spec_schema
from api.object import KubernetesObject


@dataclass(frozen=True, slots=True)
class KindMapping:
    """One kind's rows, in the order of the flat spec's fields, and its models in both versions."""

    name: str
    hub: type[KubernetesObject]
    spoke: type[KubernetesObject]
    rows: tuple[Row, ...]

    @property
    def hub_schema(self) -> Node:
        """The schema of the hub's spec."""
        return spec_schema(self.hub)

    @property
    def spoke_schema(self) -> Node:
        """The schema of the flat spec."""
        return spec_schema(self.spoke)

    def flat(self, hub_spec: Mapping[str, Any]) -> dict[str, Any]:
        """What the flat fields say of a hub's spec with its defaults; further fields of it are left out."""
        said: dict[str, Any] = {}
        for row in self.rows:
            value = at(hub_spec, row.path)
            shown = ABSENT if value is ABSENT else row.to_spoke(value)
            if shown is not ABSENT:
                said[row.field] = shown
        filled: dict[str, Any] = self.spoke_schema.defaulted(said)
        return filled

    def nested(self, flat_spec: Mapping[str, Any]) -> dict[str, Any]:
        """The hub's spec that a flat one with its defaults means by itself, without any stash.

        Raises:
            ConversionError: a value has no meaning in the hub.
        """
        said: dict[str, Any] = {}
        for row in self.rows:
            if row.field in flat_spec:
                put(said, row.path, row.to_hub(flat_spec[row.field]))
        filled: dict[str, Any] = self.hub_schema.defaulted(said)
        return filled
