"""Ways for a user of the runtime to hold pods in a store, from all of each to what a scheduler reads.

The decoding type is the projection: a Struct keeps what it has fields for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from controller.runtime.objects.metadata import EMPTY, ApiStruct, KubeObject, ObjectMeta
from controller.runtime.objects.packed import PackedObject
from controller.runtime.objects.pod import Pod


class Requests(ApiStruct, frozen=True, kw_only=True):
    """What a container asks for."""

    requests: Mapping[str, str] = EMPTY


class SlimContainer(ApiStruct, frozen=True, kw_only=True):
    """A container's name and requests."""

    name: str
    resources: Requests = Requests()


class SlimSpec(ApiStruct, frozen=True, kw_only=True):
    """Where the pod is, and its containers."""

    node_name: str = ""
    containers: tuple[SlimContainer, ...] = ()


class SlimStatus(ApiStruct, frozen=True, kw_only=True):
    """The phase alone."""

    phase: str = ""


class SlimPod(KubeObject, frozen=True, kw_only=True):
    """Name, namespace, uid, version, labels, node, phase, containers with their requests: what Go's projection keeps."""

    api_version: str = "v1"
    kind: str = "Pod"
    spec: SlimSpec = SlimSpec()
    status: SlimStatus = SlimStatus()


def slim(pod: SlimPod) -> SlimPod:
    """The projection's last step: of the metadata, too, only what Go's keeps."""
    metadata = pod.metadata
    kept = ObjectMeta(
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        labels=metadata.labels,
    )
    return structs.replace(pod, metadata=kept)


@dataclass(frozen=True, slots=True)
class Representation:
    """`into` and `project` of an informer."""

    into: type[Any]
    project: Callable[[Any], Any] | None = None


REPRESENTATIONS: Mapping[str, Representation] = {
    "full": Representation(PackedObject),
    "projected": Representation(SlimPod, slim),
    "typed": Representation(Pod),
    "dicts": Representation(dict),
}
"""`full` and `projected` have their like in Go; `full` and `typed` are the runtime's own, `dicts` what decoding gives."""
