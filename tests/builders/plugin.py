"""What AMD's device plugin serves: nodes as placement sees them, pods, claims, and the kubelet's word."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node
from controller.translate.pod import plugin_claim_name
from tests.builders.claim import allocation, claim
from tests.builders.demand import demand
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.node import node
from tests.builders.pod import GATE, container, pod

CPX = "amd.com/cpx_nps4"


def plugged(whole: Gpu, naming: str = "mixed") -> Gpu:
    """The GPU with its partitions under the plugin's names."""
    name = "amd.com/gpu" if naming == "single" else f"amd.com/{whole.mode.profile}"
    return replace(whole, partitions=tuple(replace(one, resource=name) for one in whole.partitions))


def plugin_node(
    name: str = "worker-0",
    *gpus: Gpu,
    naming: str = "mixed",
    devices: Mapping[str, int] | None = None,
    unlocated: Mapping[str, int] | None = None,
    **fields: Any,
) -> Node:
    """A node that advertises every partition of its GPUs (one in CPX/NPS4), unless `devices` says otherwise."""
    named = tuple(plugged(each, naming) for each in gpus or (gpu(),))
    counts: dict[str, int] = {}
    for each in named:
        for one in each.partitions:
            counts[one.resource] = counts.get(one.resource, 0) + 1
    given = counts if devices is None else devices
    return node(name, *named, plugin=True, naming=naming, devices=given, unlocated=unlocated or {}, **fields)


def plugin_demand(name: str = "aim-a", gib: float = 16, *, resource: str = CPX, **fields: Any) -> Demand:
    """A demand of a pod that asks for `resource`."""
    naming = "single" if resource == "amd.com/gpu" else "mixed"
    return demand(name, gib, resource=resource, naming=naming, **fields)


def plugin_pod(
    name: str = "model-0",
    resource: str = CPX,
    *,
    gates: Sequence[str] = (GATE,),
    bound: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A stored pod that asks for `resource`; `bound` is the node that the operator bound it to, its gate open."""
    made = pod(name, container(limits={resource: "1"}), claim=None, gates=() if bound else gates, **fields)
    if bound is not None:
        made["metadata"]["annotations"]["aim.amd.com/assigned-node"] = bound
    return made


def plugin_claim_of(name: str = "model-0") -> str:
    """The name of that pod's claim."""
    return plugin_claim_name(f"uid-{name}")


def plugin_claim(
    name: str = "model-0",
    node: str = "worker-0",
    resource: str = CPX,
    *,
    index: int | None = None,
    number: int = 0,
    mode: str = "CPX/NPS4",
    **fields: Any,
) -> dict[str, Any]:
    """The claim of pod `name`, bound to `resource` on `node`; Allocated once `index` says which partition it got."""
    given: dict[str, Any] = {
        "node": node,
        "binding": "DevicePlugin",
        "resource": {"name": resource, "mode": mode, "bytes": gpu(number, mode).partitions[0].bytes},
        "devices": [] if index is None else allocation(node, number, index, of=gpu(number, mode))["devices"],
    }
    phase = "Bound" if index is None else "Allocated"
    status = {"phase": phase, "allocation": given, "boundTime": "2026-01-01T00:00:00Z"}
    return claim(plugin_claim_of(name), pod=name, status=status, **fields)


def assigned(
    name: str = "model-0",
    index: int | None = 0,
    *,
    number: int = 0,
    resource: str = CPX,
    namespace: str = "team-a",
    container: str = "main",
) -> dict[str, Any]:
    """What the kubelet tells of one device of pod `name`; `index` None is a device that is none of the node's."""
    entry = {"namespace": namespace, "pod": name, "container": container, "resource": resource}
    if index is None:
        return entry | {"device": "amdgpu_xcp_99"}
    return entry | {"device": device_name(number, index), "bdf": bdf(number), "partition": index}
