"""The tables of ``docs/v1alpha1.md``: every flat field, and what of the hub it stands for, from the rows themselves.

``python -m api.openapi.mapping_table --into docs/v1alpha1.md`` writes them between their marks in that page; a test
compares the page with what this module gives.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.conversion.convert import MAPPINGS
from api.conversion.kind_mapping import KindMapping
from api.conversion.row import Row
from api.openapi.marked_page import with_tables, write_page
from api.openapi.structural_schema import structural_schema

_HEAD: Final = (
    "| v1alpha1 `spec` | type | default | unit | v1beta1 `spec` | what changes on the way |\n" + "| --- " * 6 + "|\n"
)


def table(mapping: KindMapping) -> str:
    """The Markdown table of one kind, a line a row, in the order of the flat fields."""
    fields = structural_schema(mapping.spoke)["properties"]["spec"]
    required = fields.get("required", ())
    lines = (_line(row, fields["properties"][row.field], required=row.field in required) for row in mapping.rows)
    return _HEAD + "".join(lines)


def _line(row: Row, node: Mapping[str, Any], *, required: bool) -> str:
    default = "required" if required else _default(node)
    cells = (f"`{row.field}`", _type(node), default, row.unit, f"`{'.'.join(row.path)}`", row.rounding)
    return "| " + " | ".join(cells) + " |\n"


def _default(node: Mapping[str, Any]) -> str:
    default = node.get("default")
    if default is None:
        return "absent"
    if isinstance(default, list):
        return ", ".join(f"`{item['name']}`" for item in default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(node: Mapping[str, Any]) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    match node["type"]:
        case "integer":
            return f"integer, {node['minimum']} to {node['maximum']}"
        case "array":
            return f"list, at most {node['maxItems']}"
        case "object" if "additionalProperties" in node:
            return f"map of texts, at most {node['maxProperties']}"
        case "string":
            return "text"
    return str(node["type"])


def filled(page: str) -> str:
    """The page with its tables as they are now. Raises ValueError when a kind's marks are missing."""
    return with_tables(page, {mapping.name: table(mapping) for mapping in MAPPINGS.values()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the tables into the page named by ``--into``."""
    write_page(filled, __doc__, arguments)


if __name__ == "__main__":
    main()
