"""Owner references: who made an object, and with whom it goes. Pure.

The garbage collector deletes an object when none of its owners is left, and looks for an owner by uid in the object's
own namespace, or in cluster scope. It deletes at once what names an owner that cannot exist: references like that are
refused here.

    child["metadata"]["ownerReferences"] = controlled_by(child, owner)
"""

from typing import Any

from controller.runtime.manifest import AnyObject, Manifest, owner_references_of, uid_of
from controller.runtime.objects.metadata import KubeObject, OwnerReference

Reference = dict[str, Any]


class OwnershipRefused(ValueError):
    """The reference would break the object; the text names both and the remedy."""


class AlreadyControlled(OwnershipRefused):
    """Another object controls it already: `controller` says which. An object has one controller at most."""

    def __init__(self, message: str, controller: OwnerReference) -> None:
        super().__init__(message)
        self.controller = controller


def controller_of(obj: AnyObject) -> OwnerReference | None:
    """The reference to the owner that controls `obj`, None without one."""
    return next((reference for reference in owner_references_of(obj) if reference.controller), None)


def is_controlled_by(obj: AnyObject, owner: AnyObject) -> bool:
    """Whether this very `owner`, not another of its name, controls `obj`."""
    found = controller_of(obj)
    return found is not None and bool(found.uid) and found.uid == uid_of(owner)


def controlled_by(obj: Manifest, owner: AnyObject) -> list[Reference]:
    """The owner references of `obj` with `owner` as its controller; the others stay, in their order.

    `owner` (with apiVersion, kind and uid, as read from the API) waits for `obj` in a foreground deletion. Raises
    AlreadyControlled when somebody else controls `obj`, OwnershipRefused when they cannot be owner and owned.
    """
    held = controller_of(obj)
    if held is not None and held.uid != uid_of(owner):
        raise AlreadyControlled(
            f"{_named(obj)}: {held.kind} {held.name!r} controls it already; release it there, or take another name",
            held,
        )
    return _with(obj, owner, {"controller": True, "blockOwnerDeletion": True})


def owned_by(obj: Manifest, owner: AnyObject) -> list[Reference]:
    """The owner references of `obj` with `owner` among them, who need not be the only one and controls nothing.

    One that is there already stays as it is. Raises OwnershipRefused when they cannot be owner and owned.
    """
    present: list[Reference] = obj["metadata"].get("ownerReferences") or []
    if any(reference.get("uid") == uid_of(owner) for reference in present):
        return list(present)
    return _with(obj, owner, {})


def _with(obj: Manifest, owner: AnyObject, role: Reference) -> list[Reference]:
    _refuse_impossible(obj, owner)
    api_version, kind, _, name = _identity(owner)
    reference = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid_of(owner)} | role
    present: list[Reference] = obj["metadata"].get("ownerReferences") or []
    if any(other.get("uid") == reference["uid"] for other in present):
        return [reference if other.get("uid") == reference["uid"] else other for other in present]
    return [*present, reference]


def _refuse_impossible(obj: Manifest, owner: AnyObject) -> None:
    api_version, kind, namespace, name = _identity(owner)
    if not (api_version and kind and name and uid_of(owner)):
        raise OwnershipRefused(
            f"{_named(owner)}: no apiVersion, kind, name or uid; give the owner as read from the API"
        )
    own = _identity(obj)[2]
    if namespace and not own:
        raise OwnershipRefused(
            f"{_named(obj)}: of cluster scope, so {_named(owner)} of namespace {namespace!r} cannot own it; "
            "give an owner of cluster scope"
        )
    if namespace and namespace != own:
        raise OwnershipRefused(
            f"{_named(obj)}: in namespace {own!r}, so {_named(owner)} of namespace {namespace!r} cannot own it; "
            "put both into one namespace"
        )


def _identity(obj: AnyObject) -> tuple[str, str, str, str]:
    """apiVersion, kind, namespace, name; "" for what is missing."""
    if isinstance(obj, KubeObject):
        return obj.api_version, obj.kind, obj.metadata.namespace, obj.metadata.name
    metadata = obj.get("metadata") or {}
    return (
        obj.get("apiVersion") or "",
        obj.get("kind") or "",
        metadata.get("namespace") or "",
        metadata.get("name") or "",
    )


def _named(obj: AnyObject) -> str:
    _, kind, _, name = _identity(obj)
    return f"{kind or 'object'} {name!r}"
