"""What a field tells the API server beyond its type: CEL rules, list semantics, remedies of text forms.

Each function returns a fragment for pydantic's ``json_schema_extra``; fragments combine with ``|``. The
schema generator carries keys that start with ``x-kubernetes-`` through unchanged.
"""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

Marker = dict[str, Any]
"""A fragment of a structural schema."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule of a schema node.

    ``message`` is shown when the rule is false, ``message_expression`` (CEL giving a string) instead of it
    when it evaluates. ``field_path`` moves the blame to a child, e.g. ``.minMemory``. Good messages name the
    value and the remedy; the API server adds the field's path.
    """

    rule: str
    message: str
    message_expression: str | None = None
    field_path: str | None = None

    def schema(self) -> dict[str, str]:
        """The rule as an item of ``x-kubernetes-validations``."""
        item = {"rule": self.rule, "message": self.message}
        if self.message_expression is not None:
            item["messageExpression"] = self.message_expression
        if self.field_path is not None:
            item["fieldPath"] = self.field_path
        return item


REMEDY: Final = "x-remedy"
"""Key of a schema node with a pattern: what to write instead. The CRDs say it by a CEL rule in place of the pattern."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Beside ``StringConstraints(pattern=...)``: the sentence for a text of another form.

    ``text`` continues the value and ends with what to write, e.g. ``is no time of day: write HH:MM``.
    """

    text: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), REMEDY: self.text}


def rules(*items: Rule) -> Marker:
    """CEL rules of this node."""
    return {"x-kubernetes-validations": [item.schema() for item in items]}


def with_value(text: str) -> str:
    """CEL for a message about a text field: the value in double quotes, then ``text``.

    Raises:
        ValueError: ``text`` has a quote or a backslash, which would need escaping.
    """
    if set(text) & {"'", "\\"}:
        raise ValueError(f"message {text!r} has a quote or a backslash: write it without")
    return f"'\"' + self + '\" {text}'"


def keyed_by(*keys: str) -> Marker:
    """A list whose items are told apart by ``keys`` (JSON names): no duplicates, merged by server-side apply."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


ATOMIC: Final[Marker] = {"x-kubernetes-list-type": "atomic"}
"""A list with one owner: replaced as a whole."""

SET: Final[Marker] = {"x-kubernetes-list-type": "set"}
"""A list of scalars without duplicates."""

PRESERVE_UNKNOWN: Final[Marker] = {"x-kubernetes-preserve-unknown-fields": True}
"""An object whose fields are another API's: kept as written."""
