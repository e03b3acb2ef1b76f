"""Whether an answer is what it was sent as. Pure.

Structs were checked by their decoder, but for a name; a dict is whatever JSON somebody sent: a proxy, a broken
aggregated API server. What passes here, `manifest.py` can be asked about.
"""

from typing import Any

from controller.runtime.objects.metadata import KubeObject


def is_object(obj: object) -> bool:
    """Whether `obj` has a name, and what else a store asks of it is text, null or absent."""
    if isinstance(obj, KubeObject):
        return bool(obj.metadata.name)
    metadata = _metadata(obj)
    texts = ("name", "namespace", "uid", "resourceVersion")
    return bool(metadata.get("name")) and all(isinstance(metadata.get(name), str | None) for name in texts)


def is_bookmark(obj: object) -> bool:
    """Whether `obj` has a version, and annotations, if present, that are a map or null."""
    if isinstance(obj, KubeObject):
        return bool(obj.metadata.resource_version)
    metadata = _metadata(obj)
    version, annotations = metadata.get("resourceVersion"), metadata.get("annotations")
    return isinstance(version, str) and version != "" and isinstance(annotations, dict | None)


def _metadata(obj: object) -> dict[str, Any]:
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    return metadata if isinstance(metadata, dict) else {}
