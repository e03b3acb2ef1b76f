"""What etcd tells becomes revisions of the kinds that are judged."""

import base64
import json
from typing import Any

import pytest

from tests.chaos.etcd import PLANE_ARGUMENTS, _range, _revision
from tests.chaos.facts import Kind


def _event(path: str, obj: dict[str, Any] | None) -> dict[str, Any]:
    kv = {"key": base64.b64encode(f"/registry/{path}".encode()).decode(), "mod_revision": "7"}
    if obj is None:
        return {"type": "DELETE", "kv": kv}
    return {"kv": kv | {"value": base64.b64encode(json.dumps(obj).encode()).decode()}}


@pytest.mark.parametrize(
    ("path", "want_kind", "want_key"),
    [
        ("pods/team/p", Kind.POD, "team/p"),
        ("resourceclaims/team/c", Kind.RESOURCE_CLAIM, "team/c"),
        ("aim.amd.com/gpupartitionclaims/team/c", Kind.CLAIM, "team/c"),
        ("aim.amd.com/gpunodes/a", Kind.GPU_NODE, "a"),
        ("leases/aim-gpu-system/a", Kind.LEASE, "a"),
    ],
)
def test_a_judged_kind_is_known_by_its_key(path: str, want_kind: Kind, want_key: str) -> None:
    found = _revision(7, _event(path, {"metadata": {"name": "x"}}))
    assert found is not None
    assert (found.kind, found.key) == (want_kind, want_key)
    assert found.obj == {"metadata": {"name": "x", "resourceVersion": "7"}}


def test_a_deletion_has_no_object_and_other_kinds_are_left_out() -> None:
    gone = _revision(7, _event("pods/team/p", None))
    assert gone is not None
    assert gone.obj is None
    for path in ("podtemplates/team/p", "leases/kube-node-lease/a", "secrets/team/s"):
        assert _revision(7, _event(path, {"metadata": {}})) is None


def test_the_range_has_every_key_of_the_api_server() -> None:
    begin, end = (base64.b64decode(_range()[name]) for name in ("key", "range_end"))
    assert begin <= b"/registry/pods/a" < end
    assert not begin <= b"/registrz" < end


def test_the_plane_keeps_every_revision_as_json() -> None:
    (flags,) = PLANE_ARGUMENTS.values()
    assert {"--storage-media-type=application/json", "--etcd-compaction-interval=0"} <= set(flags)
