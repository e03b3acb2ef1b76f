"""Finalizers: the patch is applied to the object as it is by then, and either does what was meant or fails."""

from typing import Any

import pytest

from controller.runtime.finalizer import add_finalizer, has_finalizer, is_deleting, remove_finalizer
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import ObjectMeta, PartialObject
from tests.builders.json_patch import PatchFailed, apply_patch

OURS = "aim.amd.com/cleanup"


def thing(*finalizers: str, version: str = "5", uid: str = "u", **metadata: Any) -> Manifest:
    listed = {"finalizers": list(finalizers)} if finalizers else {}
    return {"metadata": {"name": "a", "uid": uid, "resourceVersion": version, **listed, **metadata}}


def finalizers(obj: Manifest) -> list[str]:
    found: list[str] = obj["metadata"].get("finalizers", [])
    return found


@pytest.mark.parametrize(
    ("read", "now", "want"),
    [
        pytest.param(thing(), thing(), [OURS], id="the first one"),
        pytest.param(thing("x"), thing("x"), ["x", OURS], id="after others"),
        pytest.param(thing("x"), thing("x", version="6"), ["x", OURS], id="an unrelated change in between"),
        pytest.param(thing(), thing(version="6"), None, id="a change in between, and no list to compare"),
        pytest.param(thing(), thing("x", version="6"), None, id="somebody added the first one in between"),
        pytest.param(thing("x"), thing("x", "y", version="6"), None, id="somebody added one in between"),
        pytest.param(thing("x"), thing("x", OURS, version="6"), None, id="we added it, and read an old object"),
        pytest.param(thing("x"), thing("x", uid="v"), None, id="another object of that name"),
    ],
)
def test_add(read: Manifest, now: Manifest, want: list[str] | None) -> None:
    operations = add_finalizer(read, OURS)
    if want is None:
        with pytest.raises(PatchFailed):
            apply_patch(now, operations)
    else:
        assert finalizers(apply_patch(now, operations)) == want


@pytest.mark.parametrize(
    ("read", "now", "want"),
    [
        pytest.param(thing(OURS), thing(OURS), [], id="the only one"),
        pytest.param(thing("x", OURS, "y"), thing("x", OURS, "y"), ["x", "y"], id="one of three"),
        pytest.param(thing(OURS), thing(OURS, "x", version="6"), ["x"], id="somebody added one behind it: it stays"),
        pytest.param(thing("x", OURS), thing(OURS, version="6"), None, id="somebody removed one before it"),
        pytest.param(thing("x", OURS), thing(OURS, "y"), None, id="another one is in its place now"),
        pytest.param(thing("x", OURS), thing("x", version="6"), None, id="it went in between"),
        pytest.param(thing(OURS), thing(OURS, uid="v"), None, id="another object of that name"),
    ],
)
def test_remove(read: Manifest, now: Manifest, want: list[str] | None) -> None:
    operations = remove_finalizer(read, OURS)
    if want is None:
        with pytest.raises(PatchFailed):
            apply_patch(now, operations)
    else:
        assert finalizers(apply_patch(now, operations)) == want


def test_nothing_to_do_is_no_patch() -> None:
    assert add_finalizer(thing("x", OURS), OURS) == []
    assert remove_finalizer(thing("x"), OURS) == []
    assert remove_finalizer(thing(), OURS) == []


def test_none_is_added_to_what_is_being_deleted() -> None:
    deleting = thing("x", deletionTimestamp="2026-01-01T00:00:00Z")
    assert is_deleting(deleting)
    assert add_finalizer(deleting, OURS) == []
    assert remove_finalizer(deleting, "x") != []


def test_structs_are_read_as_dicts_are() -> None:
    struct = PartialObject(metadata=ObjectMeta(name="a", uid="u", resource_version="5", finalizers=("x", OURS)))
    assert remove_finalizer(struct, OURS) == remove_finalizer(thing("x", OURS), OURS)
    assert has_finalizer(struct, OURS)
    assert not is_deleting(struct)
    bare = PartialObject(metadata=ObjectMeta(name="a", uid="u", resource_version="5", finalizers=("x",)))
    assert add_finalizer(bare, OURS) == add_finalizer(thing("x"), OURS)
