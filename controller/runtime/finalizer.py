"""Finalizers: the JSON patch that adds or removes one, decided on the object as it was read. Pure.

Never a merge patch: that sends the whole list, and what others added since the read is lost (KServe did). An empty
answer means that there is nothing to do. A patch whose `test` fails raises Invalid without causes at the client: the
object changed meanwhile, so read again and decide anew.

    operations = add_finalizer(obj, "aim.amd.com/cleanup")
    if operations:
        await client.json_patch(resource, name, operations, namespace)
"""

from collections.abc import Sequence
from typing import Any

from controller.runtime.manifest import AnyObject, uid_of, version_of
from controller.runtime.objects.metadata import KubeObject

Operation = dict[str, Any]

_PATH = "/metadata/finalizers"


def finalizers_of(obj: AnyObject) -> Sequence[str]:
    """The finalizers of `obj`, in its order."""
    if isinstance(obj, KubeObject):
        return obj.metadata.finalizers
    return obj["metadata"].get("finalizers") or ()


def has_finalizer(obj: AnyObject, finalizer: str) -> bool:
    """Whether `finalizer` still holds `obj`."""
    return finalizer in finalizers_of(obj)


def is_deleting(obj: AnyObject) -> bool:
    """Whether somebody deleted `obj`, which then only waits for its finalizers."""
    if isinstance(obj, KubeObject):
        return obj.metadata.deletion_timestamp is not None
    return obj["metadata"].get("deletionTimestamp") is not None


def add_finalizer(obj: AnyObject, finalizer: str) -> list[Operation]:
    """The patch that adds `finalizer` at the end; empty when it is there, or when `obj` is being deleted.

    (The API server refuses new finalizers on an object that is being deleted.) The list must be as it was read: the
    server would keep a second entry of the same name.
    """
    present = finalizers_of(obj)
    if finalizer in present or is_deleting(obj):
        return []
    if present:
        return [*_same(obj), _test(_PATH, list(present)), {"op": "add", "path": f"{_PATH}/-", "value": finalizer}]
    # An absent list cannot be tested, and adding it replaces one that somebody began: the version must be the one read.
    unchanged = _test("/metadata/resourceVersion", version_of(obj))
    return [*_same(obj), unchanged, {"op": "add", "path": _PATH, "value": [finalizer]}]


def remove_finalizer(obj: AnyObject, finalizer: str) -> list[Operation]:
    """The patch that removes `finalizer`, and nothing else; empty when it is not there.

    Only its place in the list must be as it was read, so that other changes of the object do not delay its end.
    """
    present = finalizers_of(obj)
    if finalizer not in present:
        return []
    place = f"{_PATH}/{list(present).index(finalizer)}"
    return [*_same(obj), _test(place, finalizer), {"op": "remove", "path": place}]


def _same(obj: AnyObject) -> list[Operation]:
    """Another object of the same name is not meant."""
    uid = uid_of(obj)
    return [_test("/metadata/uid", uid)] if uid else []


def _test(path: str, value: Any) -> Operation:
    return {"op": "test", "path": path, "value": value}
