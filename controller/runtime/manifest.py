"""Kubernetes objects as the wire has them: plain dicts, shared between readers and therefore never changed."""

from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]
"""A decoded Kubernetes object. Stores hand out the same dict to everybody: treat it as immutable."""


def key_of(manifest: Manifest) -> str:
    """The object's key in a store: "namespace/name", or "name" for cluster scope. Raises KeyError without a name."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    name: str = metadata["name"]
    return f"{namespace}/{name}" if namespace else name


def uid_of(manifest: Manifest) -> str:
    """The object's uid, "" where it has none yet."""
    uid: str = manifest.get("metadata", {}).get("uid", "")
    return uid


def version_of(manifest: Manifest) -> str:
    """The object's resourceVersion, "" where it has none yet."""
    version: str = manifest.get("metadata", {}).get("resourceVersion", "")
    return version
