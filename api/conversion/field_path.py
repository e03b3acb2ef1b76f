"""Where a hub field stands in the flat version, for messages to those who wrote the object in that.

The rows of a kind's mapping are the table. ``spec.gpuSharing.partition.minMemory: "200Gi"`` is
``spec.memoryGB: "200"``; below a field that both versions write alike the rest of the path stays
(``spec.repartition.windows[0].end``, ``spec.windows[0].end``).
"""

import re
from typing import Final

from api.conversion.kind_mapping import KindMapping
from api.conversion.nested import ABSENT, Path
from api.conversion.row import Row, same

_SPEC: Final = "spec"
_INDEX: Final = re.compile(r"\[\d+\]")
_HUB_PATH: Final = re.compile(r"\bspec(?:\.[A-Za-z]+(?:\[\d+\])?)+")


def flat_field(mapping: KindMapping, path: str, value: str) -> tuple[str, str]:
    """Path and value in the flat version of a hub field and its value, both as text.

    What the flat version has no field for comes back as it is.
    """
    row = _row_saying(mapping, path, value)
    if row is None:
        return path, value
    shown = row.to_spoke(value) if _names(path) == row.path else ABSENT
    return _flat(row, path), value if shown is ABSENT else str(shown)


def flat_text(mapping: KindMapping, text: str) -> str:
    """A sentence with the hub's paths (``spec.model.maxModelLen``) as the flat version has them."""

    def renamed(found: re.Match[str]) -> str:
        rows = _rows(mapping, found.group())
        return _flat(rows[0], found.group()) if rows else found.group()

    return _HUB_PATH.sub(renamed, text)


def flat_values(mapping: KindMapping, path: str) -> str:
    """What a value of that hub field is called in flat fields that have names of their own for some, as a clause.

    Empty where each value is written in the flat version as in the hub.
    """
    rows = [row for row in mapping.rows if row.path == _names(path)]
    named = [f"{row.field} {row.rounding}" for row in rows if row.rounding != "none" and row.to_hub is not same]
    return "; ".join(named) if len(rows) > 1 else ""


def _row_saying(mapping: KindMapping, path: str, value: str) -> Row | None:
    """Of several flat fields for one place the one that has the value, else the last, which takes any other."""
    rows = _rows(mapping, path)
    saying = [row for row in rows if row.to_spoke(value) is not ABSENT]
    return next(iter(saying or rows[-1:]), None)


def _rows(mapping: KindMapping, path: str) -> list[Row]:
    """The rows at or above a path; where there are none, the one row below it."""
    names = _names(path)
    above = [row for row in mapping.rows if names[: len(row.path)] == row.path]
    below = [row for row in mapping.rows if names and row.path[: len(names)] == names]
    return above or (below if len(below) == 1 else [])


def _flat(row: Row, path: str) -> str:
    """The row's flat field, with what the path has below the row's place if both versions write that alike."""
    flat = f"{_SPEC}.{row.field}"
    if row.to_spoke is not same:
        return flat
    segments = path.split(".")[1:]
    if len(segments) < len(row.path):
        return flat
    index = _INDEX.search(segments[len(row.path) - 1])
    return ".".join([flat + (index.group() if index else ""), *segments[len(row.path) :]])


def _names(path: str) -> Path:
    """The names below ``spec``, without indices; none for a path elsewhere."""
    first, *names = _INDEX.sub("", path).split(".")
    return tuple(names) if first == _SPEC else ()
