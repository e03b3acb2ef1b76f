"""Tables of a struct's fields for the reference: small structs inline, large ones below, shared ones by a link."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml
from pydantic import BaseModel

from api.openapi.described_type import DescribedField, DescribedType
from api.openapi.field_text import choices_text, code, default_text, is_long, limits_text, plural, prose, type_text
from api.openapi.named_texts import NamedText

_INLINE: Final = 4
"""Rows that a struct within a struct may take before it gets a table of its own."""


def slug(heading: str) -> str:
    """The anchor that Markdown renderers make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown cells."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ["---"] * len(head), *rows])


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    field: DescribedField
    type: str

    limits: str

    def cells(self, *, with_limits: bool) -> list[str]:
        node, description = self.field.node, prose(self.field.node.get("description", ""))
        if with_limits:
            default = default_text(node, required=self.field.required)
            return [code(self.path), self.type, default, self.limits, description]
        told = all(str(value) in description for value in node.get("enum", ()))
        return [code(self.path), self.type, description if told else f"{description} One of {choices_text(node)}."]


class FieldTables:
    """Makes tables. ``texts`` are the texts with a form by pattern, ``shared`` the models described elsewhere."""

    def __init__(self, texts: Mapping[str, NamedText], shared: Iterable[type[BaseModel]]) -> None:
        self._texts = {pattern: f"[{text.name}](#{slug(text.name)})" for pattern, text in texts.items()}
        self._lengths = {pattern: text.max_length for pattern, text in texts.items()}
        self._shared = frozenset(shared)

    def sections(self, heading: str, path: str, type_: DescribedType, *, with_limits: bool) -> Iterator[str]:
        """The section of a spec or status, then one for each large struct in it."""
        rows: list[_Row] = []
        below: list[tuple[str, DescribedField, DescribedType]] = []
        for child in type_.fields:
            at = f"{path}.{child.path}"
            if child.struct is None or self._is_shared(child) or len(self._rows(at, child.struct)) <= _INLINE:
                rows += self._row_and_below(f"{path}.", child)
            else:
                own = f"{heading}.{child.path}"
                rows.append(self._row(f"{path}.{child.name}", child, _struct_text(child, f"[object](#{slug(own)})")))
                below.append((own, child, child.struct))
        yield f"#### {heading}\n\n{prose(type_.description)}\n\n{_rendered(rows, with_limits=with_limits)}"
        for own, child, struct in below:
            within = self._rows(f"{path}.{child.path}", struct)
            yield f"#### {own}\n\n{prose(struct.description)}\n\n{_rendered(within, with_limits=with_limits)}"

    def table(self, path: str, type_: DescribedType, *, with_limits: bool) -> str:
        """One table of all fields of a type and below."""
        return _rendered(self._rows(path, type_), with_limits=with_limits)

    def _rows(self, path: str, type_: DescribedType) -> list[_Row]:
        before = f"{path}." if path else ""
        return [row for child in type_.fields for row in self._row_and_below(before, child)]

    def _row_and_below(self, before: str, child: DescribedField) -> list[_Row]:
        """The rows of a field and of what is below it, unless that is described elsewhere."""
        if child.struct is None:
            return [self._row(before + child.name, child, type_text(child.node, self._texts))]
        if self._is_shared(child):
            name = child.struct.name
            return [self._row(before + child.name, child, _struct_text(child, f"[{name}](#{slug(name)})"))]
        own = self._row(before + child.name, child, _struct_text(child, "object"))
        return [own, *self._rows(before + child.path, child.struct)]

    def _row(self, path: str, child: DescribedField, type_: str) -> _Row:
        return _Row(path, child, type_, limits_text(child.node, self._lengths))

    def _is_shared(self, child: DescribedField) -> bool:
        return child.struct is not None and child.struct.model in self._shared


def _struct_text(child: DescribedField, name: str) -> str:
    if "items" in child.node:
        return f"list of {plural(name)}"
    return f"map of {plural(name)}" if "additionalProperties" in child.node else name


def _rendered(rows: Sequence[_Row], *, with_limits: bool) -> str:
    head = ("Field", "Type", "Default", "Limits", "Description") if with_limits else ("Field", "Type", "Description")
    table = markdown_table(head, [row.cells(with_limits=with_limits) for row in rows])
    long = [row for row in rows if with_limits and is_long(row.field.node)]
    return "".join([table, *map(_long_default, long)])


def _long_default(row: _Row) -> str:
    written = yaml.safe_dump(row.field.node["default"], sort_keys=False, default_flow_style=None)
    return f"\nDefault of {code(row.path)}:\n\n```yaml\n{written}```\n"
