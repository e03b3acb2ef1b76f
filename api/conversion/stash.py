"""The stash: what the flat version cannot say, in one annotation, while an object is read as v1alpha1.

Compact JSON: the dotted path of a place in the hub's spec -> ``{"is": what stands there, "shown": what the flat fields
alone give there}``; ``shown`` is missing where they give nothing. An example, for memory written in MiB::

    {"gpuSharing.partition.minMemory":{"is":"24576Mi","shown":"24Gi"}}

``shown`` tells an edit from a value that was only shown: a place is restored while the flat fields still give it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.conversion.errors import ConversionError
from api.conversion.nested import ABSENT, Path, at, dotted
from api.conversion.spec_schema import Node
from api.group import ONLY_IN_HUB

REMEDY = f"remove it from the annotation {ONLY_IN_HUB}, or edit the object as v1beta1"
"""What to do about a bad item."""


@dataclass(frozen=True, slots=True)
class Item:
    """One place: what the hub holds, and what the flat fields alone give there (ABSENT: nothing)."""

    path: Path
    held: Any
    shown: Any

    @property
    def place(self) -> str:
        """The path with dots, as it stands in the annotation."""
        return dotted(self.path)

    def problem(self, what: str, remedy: str = REMEDY) -> ConversionError:
        """The refusal of this item, naming it and its value."""
        return ConversionError(f"annotation {ONLY_IN_HUB}, item {self.place} {excerpt(self.held)} {what}: {remedy}")


def excerpt(value: Any) -> str:
    """A value as JSON, short enough for a message."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except RecursionError:
        text = "nested too deep to be shown"
    return text if len(text) <= 120 else f"{text[:117]}..."


def differences(schema: Node, hub: Mapping[str, Any], given: Mapping[str, Any], above: Path = ()) -> Iterator[Item]:
    """The places where a hub's spec says something else than the flat fields give, both with their defaults.

    Lists, maps and what the schema does not know are compared, and kept, as a whole.
    """
    for name, value in hub.items():
        child = schema.below([name])
        other = at(given, [name])
        if child is not None and child.properties and isinstance(value, dict) and value:
            yield from differences(child, value, other if isinstance(other, dict) else {}, (*above, name))
        elif value != other:
            yield Item((*above, name), value, other)


def attached(obj: dict[str, Any], items: Iterator[Item]) -> dict[str, Any]:
    """The object with its stash; as it is when there is nothing to keep."""
    kept = {item.place: _written(item) for item in items}
    if not kept:
        return obj
    metadata = obj.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return obj | {"metadata": {**metadata, "annotations": {**annotations, ONLY_IN_HUB: text}}}


def _written(item: Item) -> dict[str, Any]:
    return {"is": item.held} | ({} if item.shown is ABSENT else {"shown": item.shown})


def detached(obj: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The object without its stash, and the stash's text or None; annotations that are empty thereby go, too."""
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(annotations, dict) or ONLY_IN_HUB not in annotations:
        return obj, None
    rest = {name: value for name, value in annotations.items() if name != ONLY_IN_HUB}
    bare = {name: value for name, value in metadata.items() if name != "annotations"}
    return obj | {"metadata": {**bare, "annotations": rest} if rest else bare}, annotations[ONLY_IN_HUB]


def parsed(text: Any) -> Sequence[Item]:
    """The items in the annotation's text.

    Raises:
        ConversionError: it is not what :func:`attached` writes.
    """
    try:
        kept = json.loads(text, parse_constant=_no_constant)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConversionError(
            f"annotation {ONLY_IN_HUB} {str(text)!r:.100} is not JSON ({type(error).__name__}):"
            " remove the annotation, or edit the object as v1beta1"
        ) from error
    if not isinstance(kept, dict):
        raise ConversionError(
            f"annotation {ONLY_IN_HUB} {excerpt(kept)} is no object of items:"
            " remove the annotation, or edit the object as v1beta1"
        )
    return [_item(place, written) for place, written in kept.items()]


def _item(place: str, written: Any) -> Item:
    path = tuple(place.split("."))
    if not isinstance(written, dict) or "is" not in written or written.keys() - {"is", "shown"}:
        raise Item(path, written, ABSENT).problem('is not of the form {"is": ..., "shown": ...}')
    return Item(path, written["is"], written.get("shown", ABSENT))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
