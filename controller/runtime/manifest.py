"""Kubernetes objects as the wire has them: plain dicts, or the structs of `objects`; shared, and never changed.

What machinery asks of any object is asked here, so that it need not know which of the two it holds.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from controller.runtime.objects.metadata import EMPTY, KubeObject, OwnerReference

Manifest: TypeAlias = dict[str, Any]
"""A decoded Kubernetes object. Stores hand out the same dict to everybody: treat it as immutable."""

AnyObject: TypeAlias = Manifest | KubeObject
"""An object in either form."""


def key_of(obj: AnyObject) -> str:
    """The object's key in a store: "namespace/name", or "name" for cluster scope. Raises KeyError without a name."""
    if isinstance(obj, KubeObject):
        namespace, name = obj.metadata.namespace, obj.metadata.name
        if not name:
            raise KeyError("name")
    else:
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
    return f"{namespace}/{name}" if namespace else name


def kind_of(obj: AnyObject) -> str:
    """The object's kind, "" for a dict without one (an item of a raw list, say)."""
    if isinstance(obj, KubeObject):
        return obj.kind
    kind: str = obj.get("kind", "")
    return kind


def uid_of(obj: AnyObject) -> str:
    """The object's uid, "" where it has none yet."""
    if isinstance(obj, KubeObject):
        return obj.metadata.uid
    uid: str = obj.get("metadata", {}).get("uid", "")
    return uid


def version_of(obj: AnyObject) -> str:
    """The object's resourceVersion, "" where it has none yet."""
    if isinstance(obj, KubeObject):
        return obj.metadata.resource_version
    version: str = obj.get("metadata", {}).get("resourceVersion", "")
    return version


def generation_of(obj: AnyObject) -> int:
    """How often the object's desired state changed, 0 where the server does not count it (pods' status, say)."""
    if isinstance(obj, KubeObject):
        return obj.metadata.generation
    return int(obj.get("metadata", {}).get("generation") or 0)


def labels_of(obj: AnyObject) -> Mapping[str, str]:
    """The object's labels, empty where it has none."""
    if isinstance(obj, KubeObject):
        return obj.metadata.labels
    return obj.get("metadata", {}).get("labels") or EMPTY


def annotations_of(obj: AnyObject) -> Mapping[str, str]:
    """The object's annotations, empty where it has none."""
    if isinstance(obj, KubeObject):
        return obj.metadata.annotations
    return obj.get("metadata", {}).get("annotations") or EMPTY


def owner_references_of(obj: AnyObject) -> tuple[OwnerReference, ...]:
    """Who owns the object, in the object's own order."""
    if isinstance(obj, KubeObject):
        return obj.metadata.owner_references
    return tuple(_owner_reference(found) for found in obj.get("metadata", {}).get("ownerReferences") or ())


def _owner_reference(found: Mapping[str, Any]) -> OwnerReference:
    return OwnerReference(
        api_version=found.get("apiVersion", ""),
        kind=found.get("kind", ""),
        name=found.get("name", ""),
        uid=found.get("uid", ""),
        controller=bool(found.get("controller")),
        block_owner_deletion=bool(found.get("blockOwnerDeletion")),
    )
