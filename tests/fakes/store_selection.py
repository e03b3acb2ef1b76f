"""Label and field selectors, as far as our clients use them: equality, existence and absence, joined by commas."""

from collections.abc import Callable
from typing import Any

from controller.runtime.manifest import Manifest

Matches = Callable[[Manifest], bool]


def selected(namespace: str | None, labels: str | None, fields: str | None) -> Matches:
    """Whether an object belongs to a list or watch with these parameters. Raises ValueError for other operators."""
    wanted_labels, wanted_fields = _terms(labels), _terms(fields)

    def matches(obj: Manifest) -> bool:
        metadata = obj["metadata"]
        if namespace is not None and metadata.get("namespace") != namespace:
            return False
        own = metadata.get("labels") or {}
        if not all(_holds(own, key, value) for key, value in wanted_labels):
            return False
        return all(_field(obj, path) == value for path, value in wanted_fields)

    return matches


def _holds(own: Manifest, key: str, value: str | None) -> bool:
    if key.startswith("!"):
        return key[1:] not in own
    return key in own and (value is None or own[key] == value)


def _terms(selector: str | None) -> list[tuple[str, str | None]]:
    terms: list[tuple[str, str | None]] = []
    for term in (selector or "").split(",") if selector else ():
        if "!" in term[1:] or " " in term or (term.startswith("!") and "=" in term):
            raise ValueError(f"selector {selector!r}: only `key=value`, `key` and `!key` are known here")
        key, separator, value = term.replace("==", "=").partition("=")
        terms.append((key, value if separator else None))
    return terms


def _field(obj: Manifest, path: str) -> Any:
    found: Any = obj
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return "" if found is None else found
