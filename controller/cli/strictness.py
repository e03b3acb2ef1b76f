"""What the API server would refuse in a file and our models alone would let pass: unknown fields, rules between
fields, quantities of pods. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from api.v1beta1 import GPUSharingPolicy, InferenceService, ModelProfile
from api.validation import problems
from controller.cli.documents import BadInput, Document
from controller.translate.quantity import memory_bytes

Json = Mapping[str, Any]
Ruled = InferenceService | GPUSharingPolicy | ModelProfile


def check_fields(document: Document, model: BaseModel) -> None:
    """Raise BadInput for the first field of the spec that `model`, read from the document, does not know.

    kubectl refuses these too. A misspelt field that is dropped in silence would make the plan one of another object.
    """
    kept = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
    for path, value in _dropped(document.obj.get("spec"), kept.get("spec"), "spec"):
        place = f"{document.kind} {document.name}: {path}"
        remedy = f"see `kubectl explain {document.kind.lower()}.{path.rpartition('.')[0]}`"
        raise BadInput(document.file, place, value, "is in a field that does not exist", remedy)
    for path, value in _read_as_number(document.obj.get("spec"), kept.get("spec"), "spec"):
        field = f"{document.kind} {document.name}: {path}"
        raise BadInput(document.file, field, value, "is no number", "write a whole number")


def check_rules(document: Document, model: Ruled) -> None:
    """Raise BadInput for the first rule between fields that the object breaks, and for entries of one key.

    The API server has the same rules in CEL.
    """
    for problem in problems(model):
        raise BadInput(
            document.file, f"{document.kind} {document.name}: {problem.path}", "", "is refused", problem.message
        )
    for path, key in _twice(model.spec, "spec"):
        field = f"{document.kind} {document.name}: {path}"
        raise BadInput(document.file, field, key, "is given twice", "keep one of the two")


def _twice(model: BaseModel, path: str) -> Iterator[tuple[str, str]]:
    """(path, key) of entries that have the same key as one before, in lists that the API server merges by keys."""
    for name, field in type(model).model_fields.items():
        value, place = getattr(model, name), f"{path}.{field.alias or name}"
        if isinstance(value, BaseModel):
            yield from _twice(value, place)
        extra = field.json_schema_extra
        names = extra.get("x-kubernetes-list-map-keys") if isinstance(extra, dict) else None
        if isinstance(names, list) and isinstance(value, list):
            keys = ["/".join(str(each.model_dump(by_alias=True)[str(key)]) for key in names) for each in value]
            yield from ((f"{place}[{at}]", key) for at, key in enumerate(keys) if key in keys[:at])


def _read_as_number(given: object, kept: object, path: str) -> Iterator[tuple[str, bool]]:
    """`true` where a number belongs: pydantic takes it for 1, the API server does not."""
    if isinstance(given, bool) and not isinstance(kept, bool):
        yield path, given
    elif isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            yield from _read_as_number(value, kept[name], f"{path}.{name}")
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (left, right) in enumerate(zip(given, kept, strict=True)):
            yield from _read_as_number(left, right, f"{path}.{index}")


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
