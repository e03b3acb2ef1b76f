"""Nodes whose GPUs the device plugin hands out, as placement sees them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node
from tests.builders.demand import demand
from tests.builders.gpu import gpu
from tests.builders.node import node


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


def plugin_demand(name: str = "aim-a", gib: float = 16, *, resource: str = "amd.com/cpx_nps4", **fields: Any) -> Demand:
    """A demand of a pod that asks for `resource`."""
    naming = "single" if resource == "amd.com/gpu" else "mixed"
    return demand(name, gib, resource=resource, naming=naming, **fields)
