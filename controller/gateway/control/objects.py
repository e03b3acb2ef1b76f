"""The kinds the gateway watches, decoded to what it reads of them.

Structs and no models of `api`: those are worth 14 MB in a process that is to stay small, and the API server has checked
the objects already. A field's name is the one that `api` has for it.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from msgspec.structs import replace

from api.group import (
    ENGINE_ARGS,
    GPU_SHARING,
    MAX_CONCURRENCY,
    MODEL_ID,
    POLICY,
    QOS_CLASS,
    SERVICE_LABEL,
)
from controller.runtime.objects.endpoint_slice import (
    SERVICE_NAME_LABEL,
    EndpointConditions,
    EndpointPort,
    ObjectReference,
)
from controller.runtime.objects.metadata import EMPTY, ApiStruct, KubeObject, ObjectMeta, OrNull, null_is_empty

KSERVE_LABEL: Final = "serving.kserve.io/inferenceservice"
"""KServe's label on the pods of an InferenceService of its own: its name."""

_POD_LABELS: Final = (SERVICE_LABEL, KSERVE_LABEL)
_OBJECT_LABELS: Final = (SERVICE_NAME_LABEL,)
_POD_ANNOTATIONS: Final = (GPU_SHARING, MODEL_ID, MAX_CONCURRENCY, QOS_CLASS, POLICY, ENGINE_ARGS)


class Container(ApiStruct, frozen=True, kw_only=True):
    """What tells how an engine is started."""

    name: str = ""
    image: str = ""
    command: OrNull[str] = ()
    args: OrNull[str] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "command", "args")


class PodSpec(ApiStruct, frozen=True, kw_only=True):
    """What was asked for."""

    host_network: bool = False
    containers: OrNull[Container] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "containers")


class PodIP(ApiStruct, frozen=True, kw_only=True):
    """One address of a pod."""

    ip: str = ""


class PodStatus(ApiStruct, frozen=True, kw_only=True):
    """What the kubelet says, which no user of a namespace can."""

    phase: str = ""
    pod_ip: str = ""
    pod_ips: OrNull[PodIP] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "pod_ips")


NO_POD_SPEC: Final = PodSpec()
NO_POD_STATUS: Final = PodStatus()


class EnginePod(KubeObject, frozen=True, kw_only=True):
    """A pod, as one that may be an engine."""

    api_version: str = "v1"
    kind: str = "Pod"
    spec: PodSpec = NO_POD_SPEC
    status: PodStatus = NO_POD_STATUS

    @property
    def addresses(self) -> frozenset[str]:
        """Every address the kubelet gave it."""
        return frozenset(found.ip for found in self.status.pod_ips) | {self.status.pod_ip} - {""}

    @property
    def opted_in(self) -> bool:
        """Whether it asks for a partition of ours."""
        return self.metadata.annotations.get(GPU_SHARING) == "true"


def kept_of_pod(pod: EnginePod) -> EnginePod:
    """What stays in memory: of a pod that takes no part its name alone, of others what is read here."""
    metadata = pod.metadata
    if metadata.annotations.get(GPU_SHARING) != "true":
        return EnginePod(metadata=_bare(metadata))
    read = replace(
        _bare(metadata),
        labels=_chosen(metadata.labels, _POD_LABELS),
        annotations=_chosen(metadata.annotations, _POD_ANNOTATIONS),
    )
    return replace(pod, metadata=read)


K = TypeVar("K", bound=KubeObject)


def kept(obj: K) -> K:
    """What stays in memory of any other object: all but the labels and annotations that nobody reads here."""
    return replace(obj, metadata=replace(_bare(obj.metadata), labels=_chosen(obj.metadata.labels, _OBJECT_LABELS)))


def with_labels(obj: K) -> K:
    """The same for a namespace, of which policies may ask any label."""
    return replace(obj, metadata=replace(_bare(obj.metadata), labels=obj.metadata.labels))


def _bare(metadata: ObjectMeta) -> ObjectMeta:
    return ObjectMeta(
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        creation_timestamp=metadata.creation_timestamp,
        deletion_timestamp=metadata.deletion_timestamp,
    )


def _chosen(given: Mapping[str, str], keys: tuple[str, ...]) -> Mapping[str, str]:
    return {key: given[key] for key in keys if key in given} or EMPTY


class SliceEndpoint(ApiStruct, frozen=True, kw_only=True):
    """One backend of a Service."""

    addresses: OrNull[str] = ()
    conditions: EndpointConditions = EndpointConditions()
    target_ref: ObjectReference | None = None

    def __post_init__(self) -> None:
        null_is_empty(self, "addresses")


class ServiceSlice(KubeObject, frozen=True, kw_only=True):
    """A part of a Service's endpoints; the Service is named by a label."""

    api_version: str = "discovery.k8s.io/v1"
    kind: str = "EndpointSlice"
    address_type: str = ""
    endpoints: OrNull[SliceEndpoint] = ()
    ports: OrNull[EndpointPort] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "endpoints", "ports")


class PodReference(ApiStruct, frozen=True, kw_only=True):
    """A pod by name and uid."""

    name: str = ""
    uid: str = ""


class ClaimModel(ApiStruct, frozen=True, kw_only=True):
    """The model a claim was sized for; `profile_ref` is the ModelProfile that was named for it."""

    id: str = ""
    precision: str | None = None
    max_concurrency: int | None = None
    profile_ref: str | None = None


class ClaimSpec(ApiStruct, frozen=True, kw_only=True):
    """Who needs the partition: a pod, or a share group."""

    pod_ref: PodReference | None = None
    share_group: str | None = None
    model: ClaimModel | None = None


class Device(ApiStruct, frozen=True, kw_only=True):
    """One partition of one GPU, and its bytes."""

    bdf: str = ""
    partition: int = 0
    bytes: int = 0


class Allocation(ApiStruct, frozen=True, kw_only=True):
    """Where the claim was placed."""

    node: str = ""
    devices: OrNull[Device] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "devices")


class Observed(ApiStruct, frozen=True, kw_only=True):
    """What the pod really holds, by the kubelet's word."""

    devices: OrNull[Device] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "devices")


class Share(ApiStruct, frozen=True, kw_only=True):
    """The share that one member of a group has."""

    pod: PodReference = PodReference()


class ClaimStatus(ApiStruct, frozen=True, kw_only=True):
    """What became of the claim; written by the operator alone."""

    phase: str = ""
    allocation: Allocation | None = None
    observed: Observed | None = None
    shares: OrNull[Share] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "shares")


class Claim(KubeObject, frozen=True, kw_only=True):
    """A GPUPartitionClaim."""

    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def pod_uids(self) -> tuple[str, ...]:
        """The pods that hold it: its own, or a share group's bound members."""
        if self.spec.pod_ref is not None:
            return (self.spec.pod_ref.uid,)
        return tuple(share.pod.uid for share in self.status.shares)


class KeySecret(KubeObject, frozen=True, kw_only=True):
    """A Secret with digests of API keys: base64 by the key's name."""

    api_version: str = "v1"
    kind: str = "Secret"
    data: Mapping[str, str] | None = None


class Model(ApiStruct, frozen=True, kw_only=True):
    """The model a service serves."""

    id: str = ""
    max_concurrency: int | None = None


class GPUSharing(ApiStruct, frozen=True, kw_only=True):
    """How a service takes its part of a GPU."""

    policy_ref: str | None = None


class Guarantees(ApiStruct, frozen=True, kw_only=True):
    """How many requests are served at once, at least and at most, and how many begun in a second."""

    min_concurrency: int | None = None
    max_concurrency: int | None = None
    max_rate: int | None = None


class ServiceLevelObjective(ApiStruct, frozen=True, kw_only=True):
    """One objective."""

    metric: str = ""
    percentile: str = "p99"
    threshold: str = ""
    objective: str = "99"


class RequestQueueLimits(ApiStruct, frozen=True, kw_only=True):
    """How long requests may wait."""

    max_length: int = 1000
    timeout: str = "60s"


class QoS(ApiStruct, frozen=True, kw_only=True):
    """The service level of requests."""

    class_: str | None = None
    guarantees: Guarantees | None = None
    slo: OrNull[ServiceLevelObjective] = ()
    queue: RequestQueueLimits | None = None

    def __post_init__(self) -> None:
        null_is_empty(self, "slo")


class ServiceSpec(ApiStruct, frozen=True, kw_only=True):
    """What is wanted."""

    model: Model = Model()
    gpu_sharing: GPUSharing = GPUSharing()
    qos: QoS = QoS()


class ObjectiveCounts(ApiStruct, frozen=True, kw_only=True):
    """Requests of one objective, in the compact form of `controller.qos.slo_counts`."""

    metric: str = ""
    threshold: str = ""
    counts: str = ""


class ShardCounts(ApiStruct, frozen=True, kw_only=True):
    """Requests of the service that one shard of the gateway counted."""

    shard: int = 0
    time: str = ""
    objectives: OrNull[ObjectiveCounts] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "objectives")


class ServiceStatus(ApiStruct, frozen=True, kw_only=True):
    """What became of the service."""

    request_counts: OrNull[ShardCounts] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "request_counts")


class Service(KubeObject, frozen=True, kw_only=True):
    """An InferenceService of ours."""

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class LabelRequirement(ApiStruct, frozen=True, kw_only=True):
    """One requirement on a label."""

    key: str = ""
    operator: str = ""
    values: OrNull[str] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "values")


class LabelSelector(ApiStruct, frozen=True, kw_only=True):
    """Selects objects by label; an empty selector selects all."""

    match_labels: Mapping[str, str] = EMPTY
    match_expressions: OrNull[LabelRequirement] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "match_expressions")


class QoSClass(ApiStruct, frozen=True, kw_only=True):
    """A class of requests."""

    name: str = ""
    rank: int = 0
    weight: int = 1
    starvation_after: str = "60s"


class CallerKey(ApiStruct, frozen=True, kw_only=True):
    """One API key, on terms of its own."""

    name: str = ""
    ceiling: str | None = None
    max_rate: int | None = None


class CallerTerms(ApiStruct, frozen=True, kw_only=True):
    """On which terms requests of one namespace are served."""

    namespace: str = ""
    ceiling: str | None = None
    max_rate: int | None = None
    weight: int = 1
    namespaces: OrNull[str] = ()
    keys: OrNull[CallerKey] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "namespaces", "keys")


class PolicySpec(ApiStruct, frozen=True, kw_only=True):
    """What of a policy concerns requests. `qos_classes` None: those that are built in."""

    namespace_selector: LabelSelector = LabelSelector()
    qos_classes: tuple[QoSClass, ...] | None = None
    callers: OrNull[CallerTerms] = ()
    shared_concurrency: int | None = None

    def __post_init__(self) -> None:
        null_is_empty(self, "callers")


class Policy(KubeObject, frozen=True, kw_only=True):
    """A GPUSharingPolicy."""

    spec: PolicySpec = PolicySpec()
