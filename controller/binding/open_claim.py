"""Letting a pod go without a node: a ResourceClaim for a kind of partition, and the patch that takes our gate off.

Product, partition profile and memory are pinned, node and device are not: whatever the scheduler gives is of the kind
that the pod's engine was told of. Every attribute is guarded by `in`, as in pins.
"""

from collections.abc import Mapping
from typing import Any

from controller.binding.dra import DEVICE_CLASS, DRIVER, REQUEST, GatedPod, additions


def open_selector(product_name: str, profile: str, least_bytes: int) -> str:
    """The CEL expression that devices of the kind satisfy. `product_name` is the driver's; "" leaves it open."""
    attributes, capacity = f'device.attributes["{DRIVER}"]', f'device.capacity["{DRIVER}"]'
    named = f' && "productName" in {attributes} && {attributes}.productName == "{product_name}"' if product_name else ""
    return (
        f'device.driver == "{DRIVER}"'
        f' && "partitionProfile" in {attributes} && {attributes}.partitionProfile == "{profile}"{named}'
        f' && "memory" in {capacity} && {capacity}.memory.compareTo(quantity("{least_bytes}")) >= 0'
    )


def open_claim_spec(expression: str, count: int) -> dict[str, Any]:
    """The spec of the ResourceClaim: `count` devices of the kind, and of one node, since a pod is on one."""
    asked = {
        "deviceClassName": DEVICE_CLASS,
        "allocationMode": "ExactCount",
        "count": count,
        "selectors": [{"cel": {"expression": expression}}],
    }
    return {"devices": {"requests": [{"name": REQUEST, "exactly": asked}]}}


def release_patch(pod: GatedPod, annotations: Mapping[str, str]) -> list[dict[str, Any]]:
    """One JSON patch: tests the pod's version and our gate's place, adds annotations, removes our gate only."""
    gate = f"/spec/schedulingGates/{pod.gate_index}"
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": pod.resource_version},
        {"op": "test", "path": f"{gate}/name", "value": pod.gate},
        *additions("/metadata/annotations", pod.annotations, annotations),
        {"op": "remove", "path": gate},
    ]
