"""The tables of ``docs/v1alpha1.md``: every flat field, and what of the hub it stands for, from the rows themselves.

``python -m api.openapi.mapping_table --into docs/v1alpha1.md`` writes them between their marks in that page; a test
compares the page with what this module gives.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from api.conversion.convert import MAPPINGS
from api.conversion.kind_mapping import KindMapping
from api.conversion.row import Row
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


def with_tables(page: str) -> str:
    """The page with its tables as they are now.

    Raises:
        ValueError: a kind's marks are missing.
    """
    for mapping in MAPPINGS.values():
        begin, end = f"<!-- table of {mapping.name} -->\n", "<!-- end of table -->"
        before, mark, rest = page.partition(begin)
        _, closing, after = rest.partition(end)
        if not mark or not closing:
            raise ValueError(f"no place for the table of {mapping.name}: write {begin!r} and, below it, {end!r}")
        page = f"{before}{begin}\n{table(mapping)}\n{end}{after}"
    return page


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the tables into the page named by ``--into``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the Markdown page with the marks")
    path: Path = parser.parse_args(arguments).into
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
