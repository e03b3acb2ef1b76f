"""What the API server would refuse in the metadata of a file's object: names, labels, annotations. No I/O."""

from collections.abc import Iterator
from typing import Any, Final

from controller.cli.documents import BadInput, Document
from controller.cli.names import is_namespace_name, is_object_name

_TEMPLATE: Final = "spec.template.metadata"


def check_metadata(document: Document) -> None:
    """Raise BadInput for a name or namespace that no object can have, and for labels or annotations that are no texts.

    Metadata of a pod template counts, too. YAML reads `max-model-len: 8192` as a number: quotes are missing.
    """
    if not is_object_name(document.name):
        remedy = "write at most 253 lower-case letters, digits, dashes and dots"
        raise BadInput(document.file, "metadata.name", document.name, f"cannot name a {document.kind}", remedy)
    if not is_namespace_name(document.namespace):
        remedy = "write at most 63 lower-case letters, digits and dashes"
        raise BadInput(document.file, "metadata.namespace", document.namespace, "cannot name a namespace", remedy)
    for place, value in _texts(document):
        if not isinstance(value, str):
            field = f"{document.kind} {document.name}: {place}"
            remedy = f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
            raise BadInput(document.file, field, value, "is no text", remedy)


def _texts(document: Document) -> Iterator[tuple[str, Any]]:
    spec = document.obj.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    yield from _maps(document, document.obj["metadata"], "metadata")
    if isinstance(template, dict):
        yield from _maps(document, template.get("metadata") or {}, _TEMPLATE)


def _maps(document: Document, metadata: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(metadata, dict):
        raise BadInput(document.file, path, metadata, "is no map", "write name, labels and annotations under it")
    for group in ("labels", "annotations"):
        texts = metadata.get(group) or {}
        if not isinstance(texts, dict):
            raise BadInput(document.file, f"{path}.{group}", texts, "is no map", "write a key and a text a line")
        yield from ((f"{path}.{group}.{key}", value) for key, value in texts.items())
