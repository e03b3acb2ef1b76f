"""What the API server would refuse in a file and our models alone would let pass: unknown fields and quantities of
pods. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from controller.cli.documents import BadInput, Document
from controller.translate.quantity import memory_bytes

Json = Mapping[str, Any]


def check_fields(document: Document, model: BaseModel) -> None:
    """Raise BadInput for the first field of the spec that `model`, read from the document, does not know.

    kubectl refuses these too. A misspelt field that is dropped in silence would make the plan one of another object.
    """
    kept = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
    for path, value in _dropped(document.obj.get("spec"), kept.get("spec"), "spec"):
        place = f"{document.kind} {document.name}: {path}"
        remedy = f"see `kubectl explain {document.kind.lower()}.{path.rpartition('.')[0]}`"
        raise BadInput(document.file, place, value, "is in a field that does not exist", remedy)


def _dropped(given: object, kept: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name not in kept:
                yield f"{path}.{name}", value
            else:
                yield from _dropped(value, kept[name], f"{path}.{name}")
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (left, right) in enumerate(zip(given, kept, strict=True)):
            yield from _dropped(left, right, f"{path}.{index}")


def check_quantities(document: Document, spec: Json, path: str) -> None:
    """Raise BadInput for the first request or limit of a pod's containers that is no quantity.

    `spec` is the pod's, `path` where it stands in the document.
    """
    for place, value in _quantities(spec, path):
        try:
            memory_bytes(str(value))
        except ValueError as error:
            field = f"{document.kind} {document.name}: {place}"
            raise BadInput(document.file, field, value, "is no quantity", "write e.g. 500m, 2 or 4Gi") from error


def _quantities(spec: Json, path: str) -> Iterable[tuple[str, Any]]:
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            for kind in ("requests", "limits"):
                for name, value in ((container.get("resources") or {}).get(kind) or {}).items():
                    yield f"{path}.{group}.{index}.resources.{kind}.{name}", value
