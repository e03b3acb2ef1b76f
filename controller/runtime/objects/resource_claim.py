"""ResourceClaims (resource.k8s.io/v1): which devices a workload asks for, and which it was given.

The spec is kept whole but for the parameters of driver configuration, so that two specs can be compared.
"""

from collections.abc import Mapping

from controller.runtime.objects.metadata import EMPTY, ApiStruct, Condition, KubeObject, OrNull, null_is_empty
from controller.runtime.objects.node_selector import NodeSelector


class CelSelector(ApiStruct, frozen=True, kw_only=True):
    """A CEL expression over one device."""

    expression: str = ""


class DeviceSelector(ApiStruct, frozen=True, kw_only=True):
    """A condition on a device; today there is CEL only."""

    cel: CelSelector | None = None


class DeviceToleration(ApiStruct, frozen=True, kw_only=True):
    """Which device taints do not matter."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class CapacityRequirements(ApiStruct, frozen=True, kw_only=True):
    """How much of a device that can be shared: quantities by capacity name, as texts."""

    requests: Mapping[str, str] = EMPTY


class DeviceDerivedAttribute(ApiStruct, frozen=True, kw_only=True):
    """An attribute worked out from a device by a CEL expression, for constraints to compare."""

    name: str
    expression: str


class DeviceQuery(ApiStruct, frozen=True, kw_only=True):
    """Devices of one class. The API server defaults `allocation_mode` to "ExactCount" and `count` to 1."""

    device_class_name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()
    allocation_mode: str = ""
    count: int = 0
    tolerations: tuple[DeviceToleration, ...] = ()
    capacity: CapacityRequirements | None = None
    derived_attributes: tuple[DeviceDerivedAttribute, ...] = ()


class ExactDeviceRequest(DeviceQuery, frozen=True, kw_only=True):
    """The only way to satisfy a request; with `admin_access` the devices are looked at and not held."""

    admin_access: bool = False


class DeviceSubRequest(DeviceQuery, frozen=True, kw_only=True):
    """One way of several to satisfy a request."""

    name: str


class DeviceRequest(ApiStruct, frozen=True, kw_only=True):
    """What one name in the claim stands for: `exactly`, or the first of `first_available` that can be had."""

    name: str
    exactly: ExactDeviceRequest | None = None
    first_available: tuple[DeviceSubRequest, ...] = ()


class DeviceConstraint(ApiStruct, frozen=True, kw_only=True):
    """What the devices of `requests` (none named: of all) must have in common, or must not."""

    requests: tuple[str, ...] = ()
    match_attribute: str = ""
    distinct_attribute: str = ""


class OpaqueDeviceConfiguration(ApiStruct, frozen=True, kw_only=True):
    """Which driver is configured; the parameters, its own matter, are left out."""

    driver: str = ""


class DeviceClaimConfiguration(ApiStruct, frozen=True, kw_only=True):
    """Configuration for the devices of `requests` (none named: of all)."""

    requests: tuple[str, ...] = ()
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClaim(ApiStruct, frozen=True, kw_only=True):
    """The requests of a claim, what they have in common, and what drivers are told."""

    requests: OrNull[DeviceRequest] = ()
    constraints: tuple[DeviceConstraint, ...] = ()
    config: tuple[DeviceClaimConfiguration, ...] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "requests")


NO_REQUESTS = DeviceClaim()


class ResourceClaimSpec(ApiStruct, frozen=True, kw_only=True):
    """What was asked for; it never changes."""

    devices: DeviceClaim = NO_REQUESTS


class DeviceRequestAllocationResult(ApiStruct, frozen=True, kw_only=True):
    """One device given for `request`; `share_id` tells shares of one device apart."""

    request: str
    driver: str
    pool: str
    device: str
    admin_access: bool = False
    share_id: str = ""


class DeviceAllocationResult(ApiStruct, frozen=True, kw_only=True):
    """The devices given. Driver configuration is left out."""

    results: tuple[DeviceRequestAllocationResult, ...] = ()


NO_DEVICES = DeviceAllocationResult()


class AllocationResult(ApiStruct, frozen=True, kw_only=True):
    """An allocation; `node_selector` None: usable on every node."""

    devices: DeviceAllocationResult = NO_DEVICES
    node_selector: NodeSelector | None = None
    allocation_timestamp: str | None = None


class ConsumerReference(ApiStruct, frozen=True, kw_only=True):
    """Who may use the claim; `resource` is a plural ("pods")."""

    api_group: str = ""
    resource: str = ""
    name: str = ""
    uid: str = ""


class AllocatedDeviceStatus(ApiStruct, frozen=True, kw_only=True):
    """What a driver reports of one device that was given."""

    driver: str
    pool: str
    device: str
    share_id: str = ""
    conditions: OrNull[Condition] = ()

    def __post_init__(self) -> None:
        null_is_empty(self, "conditions")


class ResourceClaimStatus(ApiStruct, frozen=True, kw_only=True):
    """What was given. `allocation` None: nothing yet."""

    allocation: AllocationResult | None = None
    reserved_for: tuple[ConsumerReference, ...] = ()
    devices: tuple[AllocatedDeviceStatus, ...] = ()


NO_SPEC = ResourceClaimSpec()
NO_STATUS = ResourceClaimStatus()


class ResourceClaim(KubeObject, frozen=True, kw_only=True):
    """A claim of devices."""

    api_version: str = "resource.k8s.io/v1"
    kind: str = "ResourceClaim"
    spec: ResourceClaimSpec = NO_SPEC
    status: ResourceClaimStatus = NO_STATUS
