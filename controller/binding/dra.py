"""Binding by dynamic resource allocation: one ResourceClaim pinned to one device, then one patch on the pod.

The pin is CEL over attributes of AMD's driver. A missing attribute is a CEL run-time error that fails the pod's whole
allocation, so each one is guarded by `in`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DRIVER = "gpu.amd.com"
DEVICE_CLASS = "gpu.amd.com"
REQUEST = "gpu"


@dataclass(frozen=True, slots=True)
class Pin:
    """One device of one node: `device` is its name in the node's pool, `profile` AMD's spelling of the mode."""

    node: str
    pool: str
    device: str
    render_index: int
    profile: str


def selector(render_index: int, profile: str) -> str:
    """The CEL expression that only the pinned device satisfies on its node."""
    attributes = f'device.attributes["{DRIVER}"]'
    return (
        f'device.driver == "{DRIVER}"'
        f' && "renderIndex" in {attributes} && {attributes}.renderIndex == {render_index}'
        f' && "partitionProfile" in {attributes} && {attributes}.partitionProfile == "{profile}"'
    )


def claim_spec(pin: Pin) -> dict[str, Any]:
    """The spec of the ResourceClaim: exactly one device, the pinned one."""
    return {
        "devices": {
            "requests": [
                {
                    "name": REQUEST,
                    "exactly": {
                        "deviceClassName": DEVICE_CLASS,
                        "allocationMode": "ExactCount",
                        "count": 1,
                        "selectors": [{"cel": {"expression": selector(pin.render_index, pin.profile)}}],
                    },
                }
            ]
        }
    }


def resource_claim(
    name: str, namespace: str, pod_name: str, pod_uid: str, pin: Pin, labels: Mapping[str, str]
) -> dict[str, Any]:
    """The ResourceClaim owned by its pod, so that it goes with the pod whoever is down."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": pod_name, "uid": pod_uid, "controller": True}
            ],
        },
        "spec": claim_spec(pin),
    }


@dataclass(frozen=True, slots=True)
class GatedPod:
    """What the patch needs to know of the pod it was decided on. `gate_index` is our gate's place in the list."""

    resource_version: str
    gate: str
    gate_index: int
    annotations: Mapping[str, str]
    node_selector: Mapping[str, str]


def bind_patch(pod: GatedPod, hostname: str, annotations: Mapping[str, str]) -> list[dict[str, Any]]:
    """One JSON patch: tests the pod's version and our gate's place, adds pin and annotations, removes our gate only.

    A failed test answers 422 without causes: the pod moved on, so the caller reads and decides anew.
    """
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": pod.resource_version},
        {"op": "test", "path": f"/spec/schedulingGates/{pod.gate_index}/name", "value": pod.gate},
    ]
    operations += _additions("/metadata/annotations", pod.annotations, annotations)
    operations += _additions("/spec/nodeSelector", pod.node_selector, {"kubernetes.io/hostname": hostname})
    operations.append({"op": "remove", "path": f"/spec/schedulingGates/{pod.gate_index}"})
    return operations


def annotate_patch(
    resource_version: str, present: Mapping[str, str], annotations: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One JSON patch: tests the pod's version and writes annotations. A failed test answers as with `bind_patch`."""
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}
    return [test, *_additions("/metadata/annotations", present, annotations)]


def _additions(path: str, present: Mapping[str, str], wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    if not present:
        return [{"op": "add", "path": path, "value": dict(wanted)}]
    return [
        {"op": "add", "path": f"{path}/{key.replace('~', '~0').replace('/', '~1')}", "value": value}
        for key, value in sorted(wanted.items())
    ]
