"""One GPU node as the map draws it: GPUs, their partitions by memory, who holds them, how they are. Pure.

A row names the claim of a partition and says nothing else of it: what there is to say stands in the claim's own row, so
that a node's row changes when its hardware or its holders do.
"""

from typing import Any

from api.v1beta1 import GPUNode
from api.v1beta1.gpu_node import GPU
from controller.placement.node import Gpu, Node, Partition
from controller.translate.node import out_of_use

Row = dict[str, Any]

HEALTHY, UNHEALTHY, QUARANTINED, UNKNOWN = "healthy", "unhealthy", "quarantined", "unknown"


def node_row(told: GPUNode, node: Node | None) -> Row:
    """The row. `told` is what the agent reported, `node` what decisions see of it; None where they see nothing yet."""
    status, operation = told.status, told.status.operation
    under_way = operation if operation is not None and operation.end_time is None else None
    return {
        "name": told.metadata.name,
        "product": status.product or next((gpu.product for gpu in status.gpus), ""),
        "managed": told.spec.managed,
        "paused": told.spec.paused,
        "simulated": status.simulated,
        "ready": node is not None and node.ready,
        "unschedulable": node is not None and node.unschedulable,
        "fresh": node is not None and node.fresh,
        "policy": node.policy.name if node is not None and node.policy is not None else None,
        "problems": status.summary.problems,
        "missingGpus": [missing.bdf for missing in status.missing_gpus],
        "operation": {"step": under_way.step, "percent": under_way.progress_percent} if under_way else None,
        "gpus": _gpus(told, node),
    }


def _gpus(told: GPUNode, node: Node | None) -> list[Row]:
    seen = {gpu.bdf: gpu for gpu in node.gpus} if node is not None else {}
    return [_gpu(told, gpu, seen.get(gpu.bdf)) for gpu in told.status.gpus]


def _gpu(told: GPUNode, gpu: GPU, seen: Gpu | None) -> Row:
    partitions = {one.id.index: one for one in seen.partitions} if seen is not None else {}
    out = out_of_use(told, gpu)
    return {
        "bdf": gpu.bdf,
        "product": gpu.product,
        "mode": gpu.mode,
        "bytes": gpu.vram_bytes or sum(one.bytes for one in gpu.partitions),
        "hive": gpu.xgmi_hive,
        "problem": gpu.problem,
        "missing": gpu.missing_partitions,
        "plan": seen.plan if seen is not None else None,
        "partitions": [
            {
                "id": one.id,
                "bytes": one.bytes,
                "computeUnits": one.compute_units,
                **_held(partitions.get(one.id)),
                "health": _health(one.id in out, one.health == "Healthy", partitions.get(one.id)),
            }
            for one in gpu.partitions
        ],
    }


def _held(seen: Partition | None) -> Row:
    """Who holds it: ours with the claim, foreign, or nobody; `kept`: for somebody who comes."""
    holder = seen.holder if seen is not None else None
    return {
        "holder": holder.kind if holder is not None else None,
        "claim": holder.name if holder is not None and holder.kind == "ours" else None,
        "kept": seen is not None and seen.reservation is not None,
    }


def _health(quarantined: bool, healthy: bool, seen: Partition | None) -> str:
    """What decisions go by: a node whose hardware contradicts itself has no healthy partition, whatever it reports."""
    if quarantined:
        return QUARANTINED
    if not healthy or (seen is not None and not seen.healthy):
        return UNHEALTHY
    return HEALTHY if seen is not None else UNKNOWN
