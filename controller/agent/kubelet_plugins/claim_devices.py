"""Which devices a claim is to be given on this node, or why it cannot have them: now, or ever. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.agent.kubelet_plugins.device_environment import NodeDevice, node_devices
from controller.agent.kubelet_plugins.plugin import NodeView
from controller.agent.usage import allocated_devices
from controller.runtime.manifest import Manifest


class PrepareRefused(Exception):
    """The claim cannot be prepared. The text names claim or device, and the remedy."""


class NotYet(PrepareRefused):
    """It cannot be prepared now; in a moment it may."""


@dataclass(frozen=True, slots=True)
class GivenDevice:
    """A device of the claim's allocation, and what it is. `share_id` "" where the device is not shared."""

    device: NodeDevice
    pool: str
    request: str
    admin: bool
    share_id: str


def given_devices(claim: Manifest, uid: str, node: str, view: NodeView) -> tuple[GivenDevice, ...]:
    """The devices of our driver that the allocation of `claim`, as the API server has it, names; each is on this node.

    Raises PrepareRefused for a claim that is not the one asked for, or that has nothing here; NotYet for one that is
    not allocated, and for devices that the hardware has not got at the moment.
    """
    name = claim["metadata"].get("name")
    if claim["metadata"].get("uid") != uid:
        raise PrepareRefused(
            f"ResourceClaim {name}: was made anew (uid {claim['metadata'].get('uid')}, asked for {uid}): delete the pod"
        )
    if not (claim.get("status") or {}).get("allocation"):
        raise NotYet(f"ResourceClaim {name}: is not allocated; if it stays so, delete the pod")
    results = list(allocated_devices(claim))
    if not results:
        raise PrepareRefused(f"ResourceClaim {name}: its allocation has no device of this driver; delete the pod")
    if elsewhere := {result["pool"] for result in results} - {node}:
        raise PrepareRefused(f"ResourceClaim {name}: its devices are of {', '.join(sorted(elsewhere))}, not of {node}")
    present = _present(view)
    return tuple(_given(result, present, view) for result in results)


def require_free(given: Iterable[GivenDevice], others: Iterable[tuple[str, str]]) -> None:
    """Raise NotYet for a device that another claim, whose pod must be ending, still has.

    `others`: (device, uid of the claim) of what was prepared for other claims to use.
    """
    taken = dict(others)
    for one in given:
        if not one.admin and one.device.name in taken:
            raise NotYet(
                f"device {one.device.name}: is still prepared for the ResourceClaim with uid {taken[one.device.name]}, "
                "whose pod has not ended here; delete that pod, or wait"
            )


def _present(view: NodeView) -> dict[str, NodeDevice]:
    if view.hardware is None or view.problem is not None:
        raise NotYet(f"the GPUs cannot be read now ({view.problem or 'not read yet'}); see the agent's log")
    return {device.name: device for device in node_devices(view.hardware)}


def _given(result: Mapping[str, Any], present: Mapping[str, NodeDevice], view: NodeView) -> GivenDevice:
    device = present.get(result["device"])
    if device is None:
        raise NotYet(
            f"device {result['device']}: this node has not got it in its present modes; delete the pod and its "
            "ResourceClaim, so that it is placed anew"
        )
    if device.gpu.bdf in view.changing:
        raise NotYet(
            f"device {device.name}: GPU {device.gpu.bdf} is about to change its mode; wait for its plan to end"
        )
    return GivenDevice(
        device, result["pool"], result["request"], bool(result.get("adminAccess")), result.get("shareID") or ""
    )
