"""The CDI file of one prepared claim, named and laid out as AMD's DRA driver does. Pure.

Version 0.5.0 of the Container Device Interface is the first whose device names may begin with a digit, as uids do.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.agent.kubelet_plugins.device_environment import NodeDevice, device_environment, shared_environment
from controller.binding.dra import DRIVER

VENDOR = f"k8s.{DRIVER}"
KIND = f"{VENDOR}/gpu"
FILE_PREFIX = f"{VENDOR}-gpu_"
FILE_SUFFIX = ".json"

_VERSION = "0.5.0"
_UID = re.compile(r"[0-9A-Za-z][-0-9A-Za-z]{0,62}")
_NODE_VARIABLE = "KUBERNETES_NODE_NAME"
_ADMIN = "DRA_ADMIN_ACCESS=true"


class SpecError(ValueError):
    """A file that is no spec of ours, or a uid that can be in no file's name."""


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device that a claim was given. `admin`: a look at it beside whoever holds it."""

    name: str
    admin: bool = False


@dataclass(frozen=True, slots=True)
class PreparedClaim:
    """What a file tells of its claim."""

    uid: str
    node: str
    devices: tuple[PreparedDevice, ...]


def file_name(uid: str) -> str:
    """The file of that claim. Raises SpecError for what is no uid."""
    if not _UID.fullmatch(uid):
        raise SpecError(f"uid {uid!r}: is none of a ResourceClaim; ask with its metadata.uid")
    return f"{FILE_PREFIX}{uid}{FILE_SUFFIX}"


def device_id(uid: str, device: str) -> str:
    """What the container runtime is asked for: the device of that claim, fully qualified."""
    return f"{KIND}={_device_name(uid, device)}"


def document(uid: str, node: str, devices: Iterable[tuple[NodeDevice, bool, tuple[str, ...]]]) -> dict[str, Any]:
    """The file's content. Each device comes with whether it is looked at only, and with its device nodes."""
    given = list(devices)
    shared = {
        "DRA_RESOURCE_DRIVER_NAME": DRIVER,
        _NODE_VARIABLE: node,
        **shared_environment([device for device, _, _ in given]),
    }
    return {
        "cdiVersion": _VERSION,
        "kind": KIND,
        "containerEdits": {"env": _variables(shared)},
        "devices": [
            {"name": _device_name(uid, device.name), "containerEdits": _edits(device, admin, nodes)}
            for device, admin, nodes in given
        ],
    }


def prepared_claim(uid: str, spec: Mapping[str, Any]) -> PreparedClaim:
    """What the file of claim `uid` tells. Raises SpecError for one that is not ours, or not whole."""
    try:
        node = next(
            text.partition("=")[2] for text in spec["containerEdits"]["env"] if text.startswith(f"{_NODE_VARIABLE}=")
        )
        found = []
        for device in spec["devices"]:
            name = str(device["name"])
            if not name.startswith(f"{uid}-"):
                raise SpecError(f"device {name!r} is of another claim")
            found.append(PreparedDevice(name.removeprefix(f"{uid}-"), _ADMIN in device["containerEdits"]["env"]))
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise SpecError(f"no spec of a claim ({error!r})") from error
    return PreparedClaim(uid, node, tuple(found))


def _device_name(uid: str, device: str) -> str:
    return f"{uid}-{device}"


def _edits(device: NodeDevice, admin: bool, nodes: tuple[str, ...]) -> dict[str, Any]:
    variables = _variables(device_environment(device))
    edits: dict[str, Any] = {"env": [*variables, _ADMIN] if admin else variables}
    if nodes:
        edits["deviceNodes"] = [{"path": path} for path in nodes]
    return edits


def _variables(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]
