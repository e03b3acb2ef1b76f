"""A batch of objects into one version: the entry for whoever answers the API server."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from api.conversion.directions import to_hub, to_spoke
from api.conversion.errors import ConversionError
from api.conversion.gpu_sharing_policy import GPU_SHARING_POLICY
from api.conversion.inference_service import INFERENCE_SERVICE
from api.conversion.kind_mapping import KindMapping
from api.group import GROUP, V1ALPHA1, V1BETA1

MAPPINGS: Final[Mapping[str, KindMapping]] = {
    mapping.name: mapping for mapping in (INFERENCE_SERVICE, GPU_SHARING_POLICY)
}
"""The mapping of each kind that has two versions."""

_HUB: Final = f"{GROUP}/{V1BETA1}"
_SPOKE: Final = f"{GROUP}/{V1ALPHA1}"


def convert(desired: str, objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """``objects`` in the version ``desired`` (``aim.amd.com/v1beta1``), as many and in the same order.

    The objects given are not changed; parts of them are shared with the result.

    Raises:
        ConversionError: one of them cannot be converted; the text names it, the field or item, its value and a remedy.
    """
    return [_converted(desired, obj) for obj in objects]


def _converted(desired: str, obj: dict[str, Any]) -> dict[str, Any]:
    if obj.get("apiVersion") == desired:
        return obj
    try:
        return _direction(desired, obj)(_mapping(obj), obj)
    except ConversionError as error:
        raise ConversionError(error.problem, _subject(obj)) from error


def _direction(desired: str, obj: dict[str, Any]) -> Callable[[KindMapping, dict[str, Any]], dict[str, Any]]:
    way = (obj.get("apiVersion"), desired)
    if way == (_HUB, _SPOKE):
        return to_spoke
    if way == (_SPOKE, _HUB):
        return to_hub
    raise ConversionError(f"apiVersion {obj.get('apiVersion')!r} to {desired!r}: convert between {_SPOKE} and {_HUB}")


def _mapping(obj: dict[str, Any]) -> KindMapping:
    found = MAPPINGS.get(str(obj.get("kind")))
    if found is None:
        raise ConversionError(f"kind {obj.get('kind')!r} has one version: convert {' or '.join(MAPPINGS)}")
    return found


def _subject(obj: dict[str, Any]) -> str:
    metadata = obj.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    name = named.get("name") or named.get("generateName") or "(no name)"
    namespace = named.get("namespace")
    return f"{obj.get('kind')} {namespace}/{name}" if namespace else f"{obj.get('kind')} {name}"
