"""pydantic's JSON schema -> the structural schema that a CustomResourceDefinition takes.

A structural schema is plain: no ``$ref``, no ``anyOf``, a type at each node. What cannot be said in it (a
recursive model, a union, an unknown keyword) raises :class:`SchemaError` naming the place, so that no
constraint is lost silently.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, NoDefault

from api.markers import REMEDY
from api.object import dump

Schema = dict[str, Any]

_KEPT: Final = frozenset(
    {
        "description",
        "type",
        "format",
        "enum",
        "pattern",
        "default",
        "required",
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        REMEDY,
    }
)
_LAST: Final = ("required", "properties", "additionalProperties", "items")
"""Written after all others, so that what is said of a node stands before what is below it."""

_DROPPED: Final = frozenset({"title", "examples", "propertyNames"})
"""Said elsewhere, or nothing that the API server could enforce."""

_RULES: Final = "x-kubernetes-validations"
_LARGEST_INT32: Final = 2**31 - 1


class SchemaError(ValueError):
    """A model says something that a structural schema cannot."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"schema of {path}: {problem}")
        self.path = path


class _WithFactoryDefaults(GenerateJsonSchema):
    """Says what a default factory gives, which pydantic leaves out.

    A model becomes ``{}``: the API server then fills in the defaults of its fields, so they stand in one place.
    An empty list or map says the same as an absent one and is left out.
    """

    def get_default_value(self, schema: Any) -> Any:
        factory = schema.get("default_factory")
        if factory is None or schema.get("default_factory_takes_data"):
            return super().get_default_value(schema)
        value = factory()
        if isinstance(value, BaseModel):
            return {}
        if isinstance(value, list) and value:
            return [dump(item) if isinstance(item, BaseModel) else item for item in value]
        return NoDefault


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of ``model``, by JSON names; patterns may have a remedy beside them.

    Raises:
        SchemaError: the model uses something that a structural schema cannot express.
    """
    generated = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_WithFactoryDefaults)
    return _Flattening(generated.pop("$defs", {})).node(generated, model.__name__)


def without_defaults(schema: Mapping[str, Any]) -> Schema:
    """A copy of ``schema`` without any default: for a status, where absent means not known."""
    copy = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in copy:
        copy["properties"] = {name: without_defaults(child) for name, child in copy["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in copy:
            copy[key] = without_defaults(copy[key])
    return copy


class _Flattening:
    """One conversion: knows the definitions and, to find recursion, which of them are being inlined."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._open: list[str] = []

    def node(self, schema: Mapping[str, Any], path: str) -> Schema:
        """One node, with all below it."""
        if "$ref" in schema:
            return self._reference(schema, path)
        for keyword in ("anyOf", "allOf", "oneOf"):
            if keyword in schema:
                return self._union(keyword, schema, path)
        result: Schema = {}
        for key, value in schema.items():
            self._keyword(key, value, result, path)
        if result.get("type") == "integer":
            result.setdefault("format", "int32" if result.get("maximum", 2**63) <= _LARGEST_INT32 else "int64")
        _check(result, path)
        return _ordered(result)

    def _keyword(self, key: str, value: Any, result: Schema, path: str) -> None:
        if key in _KEPT or key.startswith("x-kubernetes-"):
            # A null default stands for "absent".
            if not (key == "default" and value is None):
                result[key] = value
        elif key not in _DROPPED:
            result |= self._translated(key, value, path)

    def _translated(self, key: str, value: Any, path: str) -> Schema:
        """What the API server calls a keyword that it spells otherwise."""
        match key:
            case "const":
                return {"enum": [value]}
            case "properties":
                return {key: {name: self.node(child, f"{path}.{name}") for name, child in value.items()}}
            case "items":
                return {key: self.node(value, f"{path}[]")}
            case "additionalProperties" if isinstance(value, Mapping) and value:
                return {key: self.node(value, f"{path}{{}}")}
            case "additionalProperties":
                return {} if value is False else {"x-kubernetes-preserve-unknown-fields": True}
            case "exclusiveMinimum":
                return {"minimum": value, key: True}
            case "exclusiveMaximum":
                return {"maximum": value, key: True}
        raise SchemaError(path, f"keyword {key!r} has no structural form: express it with a pattern or a CEL rule")

    def _reference(self, schema: Mapping[str, Any], path: str) -> Schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name in self._open:
            raise SchemaError(path, f"{name} contains itself: a structural schema is finite")
        self._open.append(name)
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        merged = self.node(self._beside(beside, self._definitions[name]), path)
        self._open.pop()
        return merged

    @staticmethod
    def _beside(beside: Mapping[str, Any], inner: Mapping[str, Any]) -> Schema:
        """``inner`` with what was said beside the reference to it, which wins; CEL rules of both hold."""
        rules = [*inner.get(_RULES, []), *beside.get(_RULES, [])]
        return {**inner, **beside, **({_RULES: rules} if rules else {})}

    def _union(self, keyword: str, schema: Mapping[str, Any], path: str) -> Schema:
        branches = [branch for branch in schema[keyword] if branch != {"type": "null"}]
        beside = {key: value for key, value in schema.items() if key != keyword}
        if len(branches) == 1:
            return self.node(self._beside(beside, branches[0]), path)
        if sorted(map(str, branches)) == ["{'type': 'integer'}", "{'type': 'string'}"]:
            return self.node({**beside, "x-kubernetes-int-or-string": True}, path)
        raise SchemaError(path, f"{keyword} of {len(branches)} types: use one struct and a CEL rule")


def _check(schema: Schema, path: str) -> None:
    """Raises SchemaError where the API server would refuse the node."""
    if "type" not in schema and not schema.get("x-kubernetes-int-or-string"):
        raise SchemaError(path, "no type: annotate the field with a concrete type")
    if schema.get("type") == "object" and "properties" in schema and "additionalProperties" in schema:
        raise SchemaError(path, "properties and additionalProperties exclude each other: declare the extra fields")


def _ordered(schema: Schema) -> Schema:
    """The same in a reader's order: description, type, constraints, then children."""
    first = [key for key in ("description", "type", "format", "default") if key in schema]
    last = [key for key in _LAST if key in schema]
    between = sorted(schema.keys() - {*first, *last})
    return {key: schema[key] for key in (*first, *between, *last)}
