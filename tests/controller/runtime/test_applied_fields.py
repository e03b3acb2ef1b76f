"""What server-side apply would change, on live objects as the API server stores them (managedFields included)."""

from copy import deepcopy
from typing import Any

import orjson
import pytest

from controller.runtime.applied_fields import would_change
from controller.runtime.manifest import Manifest

DESIRED: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"namespace": "ns", "name": "web", "labels": {"app": "web"}, "finalizers": ["example.com/x"]},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {"name": "main", "image": "a:1", "args": ["-v", "3"], "ports": [{"containerPort": 80}]},
                    {"name": "side", "image": "b:1"},
                ]
            },
        },
    },
}

CONTAINERS = {
    'k:{"name":"main"}': {
        ".": {},
        "f:name": {},
        "f:image": {},
        "f:args": {},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
    },
    'k:{"name":"side"}': {".": {}, "f:name": {}, "f:image": {}},
}
OWNED = {
    "f:metadata": {"f:labels": {"f:app": {}}, "f:finalizers": {'v:"example.com/x"': {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:containers": CONTAINERS}},
    },
}


def entry(**differs: Any) -> dict[str, Any]:
    return {"manager": "us", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": OWNED} | differs


def stored() -> Manifest:
    """DESIRED as the API server keeps it: defaults filled in, others' fields beside ours."""
    live = deepcopy(DESIRED)
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 1, "annotations": {"others": "x"}}
    live["metadata"]["labels"]["others"] = "y"
    live["metadata"]["managedFields"] = [entry(manager="kubectl", fieldsV1={}), entry()]
    live["spec"] |= {"progressDeadlineSeconds": 600, "strategy": {"type": "RollingUpdate"}}
    for container in live["spec"]["template"]["spec"]["containers"]:
        container |= {"imagePullPolicy": "IfNotPresent", "resources": {}}
    live["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = "TCP"
    live["status"] = {"replicas": 2}
    return live


def at(obj: Any, path: str) -> Any:
    for step in path.split("."):
        obj = obj[int(step)] if isinstance(obj, list) else obj[step]
    return obj


def changed(obj: Manifest, path: str, value: Any) -> Manifest:
    """A copy with another value at `path`."""
    copied = deepcopy(obj)
    parent, _, last = path.rpartition(".")
    target = at(copied, parent)
    target[int(last) if isinstance(target, list) else last] = value
    return copied


def without(obj: Manifest, path: str) -> Manifest:
    copied = deepcopy(obj)
    parent, _, last = path.rpartition(".")
    target = at(copied, parent)
    del target[int(last) if isinstance(target, list) else last]
    return copied


FIRST = "spec.template.spec.containers.0"
SIDECAR = {"name": "mesh", "image": "m:1"}

# id, desired, live, (want with managedFields, want without)
ROWS: list[Any] = [
    pytest.param(DESIRED, stored(), (False, False), id="stored as desired"),
    pytest.param(changed(DESIRED, "spec.replicas", 3), stored(), (True, True), id="we want another value"),
    pytest.param(DESIRED, changed(stored(), "spec.replicas", 3), (True, True), id="somebody changed a value"),
    pytest.param(DESIRED, without(stored(), "spec.replicas"), (True, True), id="somebody removed a field"),
    pytest.param(changed(DESIRED, "spec.paused", True), stored(), (True, True), id="we want one more field"),
    pytest.param(changed(DESIRED, "spec.paused", None), stored(), (False, False), id="null is absent"),
    pytest.param(
        changed(DESIRED, "spec.progressDeadlineSeconds", 600),
        stored(),
        (True, False),
        id="we want what was defaulted: it would be ours",
    ),
    pytest.param(without(DESIRED, "spec.replicas"), stored(), (True, False), id="we let go of a field"),
    pytest.param(without(DESIRED, f"{FIRST}.args"), stored(), (True, False), id="we let go of an element's field"),
    pytest.param(without(DESIRED, "metadata.labels"), stored(), (True, False), id="we let go of a map"),
    pytest.param(without(DESIRED, "spec.template.spec.containers.1"), stored(), (True, True), id="one element fewer"),
    pytest.param(changed(DESIRED, f"{FIRST}.image", "a:2"), stored(), (True, True), id="another value in an element"),
    pytest.param(changed(DESIRED, f"{FIRST}.name", "other"), stored(), (True, True), id="an element under another key"),
    pytest.param(changed(DESIRED, f"{FIRST}.args", ["-v"]), stored(), (True, True), id="a shorter atomic list"),
    pytest.param(changed(DESIRED, f"{FIRST}.args", ["3", "-v"]), stored(), (True, True), id="another order in it"),
    pytest.param(
        changed(DESIRED, f"{FIRST}.ports.0", {"containerPort": 81}), stored(), (True, True), id="another port"
    ),
    pytest.param(
        changed(DESIRED, "spec.template.spec.containers", at(DESIRED, "spec.template.spec.containers")[::-1]),
        stored(),
        (True, True),
        id="elements in another order",
    ),
    pytest.param(
        DESIRED,
        changed(stored(), "spec.template.spec.containers", [*at(stored(), "spec.template.spec.containers"), SIDECAR]),
        (False, True),
        id="somebody added an element",
    ),
    pytest.param(
        DESIRED,
        changed(stored(), "metadata.finalizers", ["others", "example.com/x"]),
        (False, True),
        id="somebody added to a set",
    ),
    pytest.param(DESIRED, changed(stored(), "metadata.finalizers", ["others"]), (True, True), id="taken from a set"),
    pytest.param(
        changed(DESIRED, "metadata.finalizers", ["example.com/y"]), stored(), (True, True), id="another one in a set"
    ),
    pytest.param(
        changed(DESIRED, "metadata.resourceVersion", "5"), stored(), (False, False), id="a precondition is no field"
    ),
    pytest.param(
        changed(DESIRED, "spec.replicas", True), changed(stored(), "spec.replicas", 1), (True, True), id="bool"
    ),
    pytest.param(changed(DESIRED, "spec.selector", "x"), stored(), (True, True), id="another type"),
]


@pytest.mark.parametrize(("desired", "live", "want"), ROWS)
def test_would_change(desired: Manifest, live: Manifest, want: tuple[bool, bool]) -> None:
    before = orjson.dumps([desired, live])
    assert would_change(desired, live, "us") is want[0]
    assert would_change(desired, without(live, "metadata.managedFields"), "us") is want[1]
    assert orjson.dumps([desired, live]) == before


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([entry(manager="others")], id="others applied it"),
        pytest.param([entry(operation="Update")], id="we wrote it, but by update"),
        pytest.param([entry(apiVersion="apps/v1beta2")], id="we applied it in another version"),
        pytest.param([entry(subresource="status")], id="we applied its status"),
    ],
)
def test_what_we_did_not_apply_would_become_ours(entries: list[dict[str, Any]]) -> None:
    live = changed(stored(), "metadata.managedFields", entries)
    assert would_change(DESIRED, live, "us")
    assert not would_change(DESIRED, live, "others") or entries[0]["manager"] != "others"


def test_a_subresource_has_fields_of_its_own() -> None:
    desired = {"apiVersion": "apps/v1", "metadata": {"name": "web"}, "status": {"replicas": 2}}
    owned = entry(subresource="status", fieldsV1={"f:status": {"f:replicas": {}}})
    live = changed(stored(), "metadata.managedFields", [entry(), owned])
    assert not would_change(desired, live, "us", "status")
    assert would_change(changed(desired, "status.replicas", 3), live, "us", "status")
