"""ResourceSlices (resource.k8s.io/v1): the devices that a driver offers."""

from collections.abc import Mapping

from msgspec import field

from controller.runtime.objects.metadata import EMPTY, ApiStruct, KubeObject
from controller.runtime.objects.node_selector import NodeSelector


class ResourcePool(ApiStruct, frozen=True, kw_only=True):
    """The pool a slice is part of; only slices of its newest `generation` count, `resource_slice_count` of them."""

    name: str = ""
    generation: int = 0
    resource_slice_count: int = 0


NO_POOL = ResourcePool()


class DeviceAttribute(ApiStruct, frozen=True, kw_only=True):
    """A fact about a device, in the one field that is not None (the lists are newer than the rest)."""

    string: str | None = None
    version: str | None = None
    int_value: int | None = field(default=None, name="int")
    bool_value: bool | None = field(default=None, name="bool")


class DeviceCapacity(ApiStruct, frozen=True, kw_only=True):
    """How much of something a device has: a quantity as text."""

    value: str = ""


class DeviceTaint(ApiStruct, frozen=True, kw_only=True):
    """What keeps claims off a device unless they tolerate it."""

    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class CounterUse(ApiStruct, frozen=True, kw_only=True):
    """What a device takes of a counter set's counters, by name."""

    counter_set: str
    counters: Mapping[str, DeviceCapacity] = EMPTY


class Device(ApiStruct, frozen=True, kw_only=True):
    """One device; names without a domain are the driver's own."""

    name: str
    attributes: Mapping[str, DeviceAttribute] = EMPTY
    capacity: Mapping[str, DeviceCapacity] = EMPTY
    consumes_counters: tuple[CounterUse, ...] = ()
    node_name: str = ""
    node_selector: NodeSelector | None = None
    all_nodes: bool = False
    taints: tuple[DeviceTaint, ...] = ()


class CounterSet(ApiStruct, frozen=True, kw_only=True):
    """What the devices of a pool share."""

    name: str
    counters: Mapping[str, DeviceCapacity] = EMPTY


class ResourceSliceSpec(ApiStruct, frozen=True, kw_only=True):
    """A part of a pool; `node_name`, `node_selector` or `all_nodes` says where its devices can be used."""

    driver: str = ""
    pool: ResourcePool = NO_POOL
    node_name: str = ""
    node_selector: NodeSelector | None = None
    all_nodes: bool = False
    per_device_node_selection: bool = False
    devices: tuple[Device, ...] = ()
    shared_counters: tuple[CounterSet, ...] = ()


NO_SPEC = ResourceSliceSpec()


class ResourceSlice(KubeObject, frozen=True, kw_only=True):
    """Devices on offer."""

    api_version: str = "resource.k8s.io/v1"
    kind: str = "ResourceSlice"
    spec: ResourceSliceSpec = NO_SPEC
