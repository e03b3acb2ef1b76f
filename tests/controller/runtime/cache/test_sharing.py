"""Equal texts of different objects are one string in memory; nothing else about an object changes."""

from typing import Any

import orjson
import pytest

from controller.runtime.cache import sharing
from controller.runtime.cache.sharing import share_strings
from controller.runtime.client.decoding import decode_into
from controller.runtime.manifest import Manifest
from controller.runtime.objects.lease import Lease
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_slice import ResourceSlice

POD: Manifest = {
    "metadata": {"namespace": "team-a", "name": "web-0", "labels": {"app": "web"}, "annotations": {"note": "z" * 100}},
    "spec": {
        "nodeName": "node-17",
        "containers": [{"name": "main", "image": "registry/main:1", "resources": {"requests": {"cpu": "500m"}}}],
        "nodeSelector": {"zone": "eu-1"},
    },
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "podIPs": [{"ip": "10.0.0.1"}]},
}
SLICE: Manifest = {
    "metadata": {"name": "slice-0"},
    "spec": {"driver": "gpu.amd.com", "devices": [{"name": "gpu-0", "attributes": {"model": {"string": "MI300X"}}}]},
}
LEASE: Manifest = {
    "metadata": {"namespace": "n", "name": "l"},
    "spec": {"holderIdentity": "someone-else", "renewTime": "2026-01-01T00:00:00.000000Z"},
}


def at(obj: Any, path: str) -> Any:
    for step in path.split("."):
        obj = obj[int(step)] if step.isdigit() else obj[step] if isinstance(obj, dict) else getattr(obj, step)
    return obj


@pytest.mark.parametrize(
    ("into", "wire", "path"),
    [
        pytest.param(dict, POD, "metadata.namespace", id="a manifest's namespace"),
        pytest.param(dict, POD, "metadata.labels.app", id="a manifest's label"),
        pytest.param(dict, POD, "spec.containers.0.resources.requests.cpu", id="a text deep in a manifest"),
        pytest.param(Pod, POD, "metadata.namespace", id="a pod's namespace"),
        pytest.param(Pod, POD, "metadata.labels.app", id="a pod's label"),
        pytest.param(Pod, POD, "spec.node_name", id="a pod's node"),
        pytest.param(Pod, POD, "spec.node_selector.zone", id="a pod's selector"),
        pytest.param(Pod, POD, "spec.containers.0.resources.requests.cpu", id="a quantity"),
        pytest.param(Pod, POD, "status.conditions.0.status", id="a condition's status"),
        pytest.param(ResourceSlice, SLICE, "spec.driver", id="a slice's driver"),
        pytest.param(Lease, LEASE, "spec.holder_identity", id="a lease's holder"),
        pytest.param(Lease, LEASE, "spec.renew_time", id="a text that may be null"),
    ],
)
def test_texts_are_shared(into: type[Any], wire: Manifest, path: str) -> None:
    first, second, untouched = (decode_into(orjson.dumps(wire), into) for _ in range(3))
    share_strings(first)
    share_strings(second)
    assert at(first, path) is at(second, path)
    assert first == second == untouched


@pytest.mark.parametrize("into", [dict, Pod])
def test_decoders_do_not_share_them(into: type[Any]) -> None:
    first, second = (decode_into(orjson.dumps(POD), into) for _ in range(2))
    assert at(first, "metadata.labels.app") is not at(second, "metadata.labels.app")


def test_the_table_of_texts_is_bounded() -> None:
    for number in range(120_000):
        share_strings({"metadata": {"name": f"n{number}"}})
    assert len(sharing._texts) <= 50_001


def test_long_texts_are_left_alone() -> None:
    first, second = (decode_into(orjson.dumps(POD), dict) for _ in range(2))
    share_strings(first)
    share_strings(second)
    assert at(first, "metadata.annotations.note") is not at(second, "metadata.annotations.note")


def test_what_is_absent_stays_absent() -> None:
    bare = decode_into(b'{"metadata":{"name":"a"}}', Pod)
    share_strings(bare)
    assert bare == decode_into(b'{"metadata":{"name":"a"}}', Pod)
