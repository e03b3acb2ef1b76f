"""The kinds that engines are found by, decoded to what is read of them here, and no more kept in memory."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from api.group import GPU_SHARING, MODEL_ID, SERVICE_LABEL
from controller.runtime.objects.endpoint_slice import SERVICE_NAME_LABEL, EndpointPort, EndpointSlice
from controller.runtime.objects.metadata import EMPTY, ApiStruct, KubeObject, ObjectMeta, OrNull, null_is_empty
from controller.runtime.objects.pod import NO_STATUS, PodStatus
from controller.state.kserve import POD_LABEL as KSERVE_LABEL

_POD_LABELS: Final = (SERVICE_LABEL, KSERVE_LABEL)
_POD_ANNOTATIONS: Final = (GPU_SHARING, MODEL_ID)
_ENDED: Final = frozenset({"Succeeded", "Failed"})


class ContainerPort(ApiStruct, frozen=True, kw_only=True):
    """A port that a container says it listens on."""

    name: str = ""
    container_port: int = 0
    protocol: str = ""


class Container(ApiStruct, frozen=True, kw_only=True):
    """One of a pod's containers."""

    ports: OrNull[ContainerPort] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "ports")


class PodSpec(ApiStruct, frozen=True, kw_only=True):
    """What was asked for."""

    host_network: bool = False
    containers: OrNull[Container] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "containers")


class EnginePod(KubeObject, frozen=True, kw_only=True):
    """A pod that bears the engines' label."""

    api_version: str = "v1"
    kind: str = "Pod"
    spec: PodSpec = PodSpec()
    status: PodStatus = NO_STATUS

    @property
    def takes_part(self) -> bool:
        """Whether it asks for a partition of ours and has not ended: whoever puts the label on a pod makes it none."""
        return self.metadata.annotations.get(GPU_SHARING) == "true" and self.status.phase not in _ENDED

    @property
    def ready(self) -> bool:
        """Whether it serves, by the kubelet's word."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)

    @property
    def ours(self) -> bool:
        """Whether an InferenceService of ours made it: a gateway serves those before any other."""
        return SERVICE_LABEL in self.metadata.labels

    @property
    def ports(self) -> tuple[EndpointPort, ...]:
        """What its containers say they listen on, as an EndpointSlice has it."""
        return tuple(
            EndpointPort(name=port.name, protocol=port.protocol, port=port.container_port)
            for container in self.spec.containers
            for port in container.ports
        )


def kept_of_pod(pod: EnginePod) -> EnginePod:
    """What stays in memory of a pod."""
    read = replace(
        _bare(pod.metadata),
        labels=_chosen(pod.metadata.labels, _POD_LABELS),
        annotations=_chosen(pod.metadata.annotations, _POD_ANNOTATIONS),
    )
    seen = pod.status
    ready = tuple(replace(one, message="", last_transition_time=None) for one in seen.conditions if one.type == "Ready")
    status = PodStatus(phase=seen.phase, conditions=ready, pod_ip=seen.pod_ip)
    return replace(pod, metadata=read, status=status)


def kept_of_slice(found: EndpointSlice) -> EndpointSlice:
    """What stays in memory of an EndpointSlice: whose it is, its ports, its pods and whether they are ready."""
    labels = _chosen(found.metadata.labels, (SERVICE_NAME_LABEL,))
    endpoints = tuple(replace(one, addresses=(), hostname="", node_name="", zone="") for one in found.endpoints)
    return replace(found, metadata=replace(_bare(found.metadata), labels=labels), endpoints=endpoints)


def _bare(metadata: ObjectMeta) -> ObjectMeta:
    return ObjectMeta(
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        deletion_timestamp=metadata.deletion_timestamp,
    )


def _chosen(given: Mapping[str, str], keys: tuple[str, ...]) -> Mapping[str, str]:
    return {key: given[key] for key in keys if key in given} or EMPTY
