"""Binding by dynamic resource allocation: one ResourceClaim pinned to its devices, then one patch on the pod.

Several partitions are one request of their number, whose selector names them all: the scheduler then takes these or
none, and the container's one claim has them all. A request a partition would cost it a selector each, for the same.

The pin is CEL over attributes of AMD's driver. A missing attribute is a CEL run-time error that fails the pod's whole
allocation, so each one is guarded by `in`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DRIVER = "gpu.amd.com"
DEVICE_CLASS = "gpu.amd.com"
REQUEST = "gpu"
FINALIZER = "resource.kubernetes.io/delete-protection"
"""What Kubernetes' scheduler adds to a claim before it allocates it, by a write of its own, unless it is there; its
resource claim controller takes it off a claim that is to go and that no pod has reserved, allocated or not."""


@dataclass(frozen=True, slots=True)
class PinnedDevice:
    """One device by its name in the node's pool, and by its render index, which is one of a kind on the node."""

    name: str
    render_index: int


@dataclass(frozen=True, slots=True)
class Pin:
    """Devices of one node, all of one mode: `profile` is AMD's spelling of it."""

    node: str
    pool: str
    devices: tuple[PinnedDevice, ...]
    profile: str

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """The devices as (pool, name)."""
        return frozenset((self.pool, device.name) for device in self.devices)


def selector(render_indices: Sequence[int], profile: str) -> str:
    """The CEL expression that only the pinned devices satisfy on their node."""
    attributes = f'device.attributes["{DRIVER}"]'
    listed = ", ".join(map(str, sorted(render_indices)))
    asked = f"== {listed}" if len(render_indices) == 1 else f"in [{listed}]"
    return (
        f'device.driver == "{DRIVER}"'
        f' && "renderIndex" in {attributes} && {attributes}.renderIndex {asked}'
        f' && "partitionProfile" in {attributes} && {attributes}.partitionProfile == "{profile}"'
    )


_SELECTED = re.compile(r"renderIndex (?:== (\d+)|in \[([\d, ]+)\]) .*partitionProfile == \"([^\"]*)\"$")


def selected(expression: str) -> tuple[tuple[int, ...], str] | None:
    """The render indices and the profile that `selector` wrote; None for an expression that it did not write."""
    found = _SELECTED.search(expression)
    if found is None:
        return None
    indices = tuple(map(int, (found[1] or found[2]).split(",")))
    return (indices, found[3]) if selector(indices, found[3]) == expression else None


def claim_spec(pin: Pin) -> dict[str, Any]:
    """The spec of the ResourceClaim: as many devices as are pinned, these and no others."""
    expression = selector([device.render_index for device in pin.devices], pin.profile)
    return {
        "devices": {
            "requests": [
                {
                    "name": REQUEST,
                    "exactly": {
                        "deviceClassName": DEVICE_CLASS,
                        "allocationMode": "ExactCount",
                        "count": len(pin.devices),
                        "selectors": [{"cel": {"expression": expression}}],
                    },
                }
            ]
        }
    }


def resource_claim(
    name: str, namespace: str, pod_name: str, pod_uid: str, pin: Pin, labels: Mapping[str, str]
) -> dict[str, Any]:
    """The ResourceClaim of a pin."""
    return resource_claim_of(name, namespace, pod_name, pod_uid, claim_spec(pin), labels)


def resource_claim_of(
    name: str, namespace: str, pod_name: str, pod_uid: str, spec: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any]:
    """The ResourceClaim owned by its pod, so that it goes with the pod whoever is down.

    It comes with the finalizer that the scheduler would have to write first: one write less for each pod.
    """
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "finalizers": [FINALIZER],
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": pod_name, "uid": pod_uid, "controller": True}
            ],
        },
        "spec": dict(spec),
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
    operations += additions("/metadata/annotations", pod.annotations, annotations)
    operations += additions("/spec/nodeSelector", pod.node_selector, {"kubernetes.io/hostname": hostname})
    operations.append({"op": "remove", "path": f"/spec/schedulingGates/{pod.gate_index}"})
    return operations


def annotate_patch(
    resource_version: str, present: Mapping[str, str], annotations: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One JSON patch: tests the pod's version and writes annotations. A failed test answers as with `bind_patch`."""
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}
    return [test, *additions("/metadata/annotations", present, annotations)]


def additions(path: str, present: Mapping[str, str], wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    """JSON patch operations that add entries to a map, which may not be there yet."""
    if not present:
        return [{"op": "add", "path": path, "value": dict(wanted)}]
    return [
        {"op": "add", "path": f"{path}/{key.replace('~', '~0').replace('/', '~1')}", "value": value}
        for key, value in sorted(wanted.items())
    ]
