"""Descriptors of a kind's fields, as consoles show them, from the schema of its CRD."""

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

_SHOWN_AS: Final = {
    ("spec", "replicas"): "urn:alm:descriptor:com.tectonic.ui:podCount",
    ("status", "conditions"): "urn:alm:descriptor:io.kubernetes.conditions",
}
"""Fields that consoles have a form of their own for."""
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])s?|[A-Z]?[a-z0-9]+")


def descriptors(schema: dict[str, Any], part: str, *, without: Collection[str] = ()) -> list[dict[str, Any]]:
    """One for every field of `part` (spec or status) of a version's schema; lists are told by their first item.

    `without`: fields at its top that are left out with all that is below.
    """
    told = schema["properties"].get(part, {})
    found = []
    for path, field in fields(told):
        if re.split(r"[.\[]", path)[0] in without:
            continue
        shown: dict[str, Any] = {"path": path, "displayName": title(path)}
        shown["description"] = field.get("description") or title(path)
        if (part, path) in _SHOWN_AS:
            shown["x-descriptors"] = [_SHOWN_AS[part, path]]
        found.append(shown)
    return found


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and schema of every field below."""
    for name, field in schema.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        yield at, field
        yield from fields(field, at)
        items = field.get("items")
        if isinstance(items, dict):
            yield from fields(items, f"{at}[0]")


def title(path: str) -> str:
    """The last name in a path as words: maxModelLen is Max Model Len, memoryGB is Memory GB."""
    last = path.rsplit(".", 1)[-1]
    words = _WORD.findall(last)
    return " ".join(word[:1].upper() + word[1:] for word in words)
