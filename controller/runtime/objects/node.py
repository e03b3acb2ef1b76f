"""Nodes: labels, taints, readiness and what they can hold. Images, system details and volumes are left out."""

from collections.abc import Mapping

from controller.runtime.objects.metadata import EMPTY, ApiStruct, Condition, KubeObject


class Taint(ApiStruct, frozen=True, kw_only=True):
    """What keeps pods off the node unless they tolerate it."""

    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class NodeSpec(ApiStruct, frozen=True, kw_only=True):
    """What was decided about the node."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    provider_id: str = ""


class NodeAddress(ApiStruct, frozen=True, kw_only=True):
    """An address of a `type`: InternalIP, ExternalIP, Hostname, InternalDNS, ExternalDNS."""

    type: str
    address: str


class NodeStatus(ApiStruct, frozen=True, kw_only=True):
    """What the kubelet reports; quantities by resource name, as texts."""

    capacity: Mapping[str, str] = EMPTY
    allocatable: Mapping[str, str] = EMPTY
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()


NO_SPEC = NodeSpec()
NO_STATUS = NodeStatus()


class Node(KubeObject, frozen=True, kw_only=True):
    """A node."""

    api_version: str = "v1"
    kind: str = "Node"
    spec: NodeSpec = NO_SPEC
    status: NodeStatus = NO_STATUS
