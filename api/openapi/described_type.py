"""The types of the group as a reference describes them: schema and model side by side.

The schema says what the API server knows (limits, defaults, rules); the model says what a type is called and what it
is, which a schema without references has lost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, get_args

from pydantic import BaseModel

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DescribedField:
    """A field: its JSON name, its node, and the type of a struct, of its items or its values."""

    name: str
    node: Schema
    required: bool
    struct: "DescribedType | None" = None

    @property
    def path(self) -> str:
        """The name, with what leads to a struct within: ``[]`` for items, ``{}`` for values."""
        if self.struct is None:
            return self.name
        within = {"items": "[]", "additionalProperties": "{}"}
        return self.name + "".join(step for key, step in within.items() if key in self.node)

    @property
    def inner(self) -> Schema:
        """The node of the struct: the field's own, or that of its items or values."""
        inner: Schema = self.node.get("items") or self.node.get("additionalProperties") or self.node
        return inner


@dataclass(frozen=True, slots=True)
class DescribedType:
    """A struct: its model and its fields, in the model's order."""

    model: type[BaseModel]
    node: Schema
    fields: tuple[DescribedField, ...] = field(default=())

    @classmethod
    def of(cls, model: type[BaseModel], node: Schema) -> Self:
        """The type of ``model``, whose schema is ``node``."""
        annotations = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
        required = node.get("required", ())
        fields = tuple(
            _described(name, child, annotations[name], required=name in required)
            for name, child in node.get("properties", {}).items()
        )
        return cls(model, node, fields)

    @property
    def name(self) -> str:
        """What the type is called."""
        return self.model.__name__

    @property
    def description(self) -> str:
        """What the type is: the model's docstring."""
        return self.model.__doc__ or ""


def _described(name: str, node: Schema, annotation: Any, *, required: bool) -> DescribedField:
    found = DescribedField(name, node, required)
    model = _model_within(annotation)
    if model is None or "properties" not in found.inner:
        return found
    return DescribedField(name, node, required, DescribedType.of(model, found.inner))


def _model_within(annotation: Any) -> type[BaseModel] | None:
    """The model of an annotation such as ``list[Model] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_within(part)) is not None), None)


def shared_types(roots: Iterable[DescribedType]) -> list[DescribedType]:
    """The types that fields of more than one struct have, by name. ``roots`` are whole specs and statuses."""
    distinct = {root.model: root for root in roots}  # versions may have a status in common
    described: dict[type[BaseModel], DescribedType] = {}
    uses: Counter[type[BaseModel]] = Counter()
    waiting = list(distinct.values())
    while waiting:
        owner = waiting.pop()
        for child in owner.fields:
            if child.struct is not None:
                uses[child.struct.model] += 1
                if child.struct.model not in described:
                    described[child.struct.model] = child.struct
                    waiting.append(child.struct)
    found = [described[model] for model, count in uses.items() if count > 1]
    return sorted(found, key=lambda type_: type_.name)
