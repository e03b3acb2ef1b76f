"""What changed between two documents, row by row, and a document with that change. Pure; JavaScript does the same.

A document has sections, a section has rows by key. A row is sent whole: a row that changed says all of itself.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

Section: TypeAlias = Mapping[str, Any]
Document: TypeAlias = Mapping[str, Section]
Change: TypeAlias = dict[str, dict[str, Any]]
"""By section, the rows that are new or others than before; None for a row that is gone."""


def difference(before: Document, after: Document) -> Change:
    """What makes `after` of `before`; empty where they are equal. Rows that are the same object are not looked into."""
    found = {}
    for name in (*after, *(name for name in before if name not in after)):
        rows = _rows(before.get(name, {}), after.get(name, {}))
        if rows:
            found[name] = rows
    return found


def applied(before: Document, change: Change) -> dict[str, dict[str, Any]]:
    """The document after a change. A section that has no rows left stays, empty."""
    after = {name: dict(rows) for name, rows in before.items()}
    for name, rows in change.items():
        section = after.setdefault(name, {})
        for key, row in rows.items():
            if row is None:
                section.pop(key, None)
            else:
                section[key] = row
    return after


def _rows(before: Section, after: Section) -> dict[str, Any]:
    changed: dict[str, Any] = {key: None for key in before if key not in after}
    for key, row in after.items():
        known = before.get(key)
        if known is not row and known != row:
            changed[key] = row
    return changed
