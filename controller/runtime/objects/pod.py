"""Pods: what scheduling, binding and readiness are decided from. Probes, environments and most volumes are left out."""

from collections.abc import Mapping

from msgspec.structs import force_setattr

from controller.runtime.objects.metadata import EMPTY, ApiStruct, Condition, KubeObject, OrNull, null_is_empty
from controller.runtime.objects.node_selector import NodeSelector
from controller.runtime.objects.pod_affinity import PodAffinity, TopologySpreadConstraint


class ResourceRequirements(ApiStruct, frozen=True, kw_only=True):
    """Quantities by resource name, as texts."""

    requests: Mapping[str, str] = EMPTY
    limits: Mapping[str, str] = EMPTY


NO_RESOURCES = ResourceRequirements()


class ContainerPort(ApiStruct, frozen=True, kw_only=True):
    """A port; `host_port` 0 takes none of the node, `host_ip` "" takes it at every address."""

    host_port: int = 0
    protocol: str = ""
    host_ip: str = ""


class Container(ApiStruct, frozen=True, kw_only=True):
    """A container or init container; `restart_policy` "Always" makes an init container a sidecar.

    `ports`: those that take one of the node.
    """

    name: str
    restart_policy: str = ""
    resources: ResourceRequirements = NO_RESOURCES
    ports: OrNull[ContainerPort] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "ports")
        if self.ports:  # most containers have some, and hardly one has such
            force_setattr(self, "ports", tuple(each for each in self.ports if each.host_port))


class PodSchedulingGate(ApiStruct, frozen=True, kw_only=True):
    """While one is present, nobody schedules the pod."""

    name: str


class PodResourceClaim(ApiStruct, frozen=True, kw_only=True):
    """A ResourceClaim that the pod asks for, by its name or by a template's."""

    name: str
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class Toleration(ApiStruct, frozen=True, kw_only=True):
    """Which taints do not matter; an empty `operator` is "Equal", an empty `effect` any."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class NodeAffinity(ApiStruct, frozen=True, kw_only=True):
    """Only what a node must have; preferences are left out."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class Affinity(ApiStruct, frozen=True, kw_only=True):
    """Towards nodes, and towards pods."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class ConfigMapVolumeSource(ApiStruct, frozen=True, kw_only=True):
    """The ConfigMap whose entries are the volume's files."""

    name: str = ""


class Volume(ApiStruct, frozen=True, kw_only=True):
    """A volume; `config_map` None for one of another sort."""

    name: str
    config_map: ConfigMapVolumeSource | None = None


class PodSpec(ApiStruct, frozen=True, kw_only=True):
    """What was asked for. `node_name` "": not bound yet. `volumes`: those that are ConfigMaps."""

    node_name: str = ""
    scheduler_name: str = ""
    service_account_name: str = ""
    priority: int = 0
    priority_class_name: str = ""
    preemption_policy: str = ""
    termination_grace_period_seconds: int | None = None
    node_selector: Mapping[str, str] = EMPTY
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: OrNull[TopologySpreadConstraint] = ()
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    resource_claims: tuple[PodResourceClaim, ...] = ()
    containers: OrNull[Container] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    overhead: Mapping[str, str] = EMPTY
    resources: ResourceRequirements = NO_RESOURCES

    def __post_init__(self) -> None:
        null_is_empty(self, "containers", "topology_spread_constraints")
        if self.volumes:  # nearly every pod has one of a token, which nobody reads
            force_setattr(self, "volumes", tuple(each for each in self.volumes if each.config_map is not None))


class PodIP(ApiStruct, frozen=True, kw_only=True):
    """One address of the pod."""

    ip: str = ""


class PodResourceClaimStatus(ApiStruct, frozen=True, kw_only=True):
    """The ResourceClaim that was made for the pod's entry `name`; "" where none was needed."""

    name: str
    resource_claim_name: str = ""


class PodStatus(ApiStruct, frozen=True, kw_only=True):
    """What became of it. `phase` "" is what the API server shows as Pending a moment later."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    host_ip: str = ""
    pod_ip: str = ""
    pod_ips: tuple[PodIP, ...] = ()
    nominated_node_name: str = ""
    start_time: str | None = None
    qos_class: str = ""
    resource_claim_statuses: tuple[PodResourceClaimStatus, ...] = ()


NO_SPEC = PodSpec()
NO_STATUS = PodStatus()


class Pod(KubeObject, frozen=True, kw_only=True):
    """A pod."""

    api_version: str = "v1"
    kind: str = "Pod"
    spec: PodSpec = NO_SPEC
    status: PodStatus = NO_STATUS
