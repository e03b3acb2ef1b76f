"""GPUNode objects, and the Lease of their agent."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.gpu.product import product_named
from controller.placement.snapshot import Gpu
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.lease import Lease
from tests.builders.gpu import gpu


def gpu_node(
    name: str = "worker-0",
    *gpus: Gpu,
    managed: bool = True,
    paused: bool = False,
    version: str = "1",
    assigned: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The GPUNode that an agent reporting `gpus` (one idle GPU in CPX by default) would write.

    `assigned` is what the kubelet told of its devices; None where it does not tell.
    """
    told = {} if assigned is None else {"assigned": [dict(entry) for entry in assigned]}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUNode",
        "metadata": {"name": name, "uid": f"gpu-node-{name}", "resourceVersion": version},
        "spec": {"managed": managed, "paused": paused},
        "status": {"simulated": True, "gpus": [_reported(each) for each in gpus or (gpu(),)], **told},
    }


def _reported(each: Gpu) -> dict[str, Any]:
    return {
        "bdf": each.bdf,
        "product": each.product,
        "vramBytes": (product_named(each.product).vram_mib or 0) << 20,
        "modesAllowed": _texts(each.allowed),
        "modesValidated": sorted(_texts(each.validated)),
        "mode": str(each.mode),
        "partitions": [
            {
                "id": partition.id.index,
                "renderIndex": partition.render_index,
                "device": partition.device,
                "bytes": partition.bytes,
                "computeUnits": partition.compute_units,
                "health": "Healthy" if partition.healthy else "Unhealthy",
            }
            for partition in each.partitions
        ],
        **({} if each.hive is None else {"xgmiHive": each.hive}),
    }


def _texts(modes: Sequence[object] | frozenset[Any]) -> list[str]:
    return [str(mode) for mode in modes]


def lease(node: str = "worker-0", *, beat: int = 0, version: str | None = None) -> dict[str, Any]:
    """The heartbeat Lease of a node's agent after `beat` renewals."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": node,
            "namespace": "aim-gpu-system",
            "uid": f"lease-{node}",
            "resourceVersion": version or f"{beat + 1}",
            "labels": {"aim.amd.com/agent": "true"},
        },
        "spec": {"renewTime": f"2026-01-01T00:{beat // 60:02}:{beat % 60:02}.000000Z", "leaseDurationSeconds": 40},
    }


def typed_lease(node: str = "worker-0", **fields: Any) -> Lease:
    """The Lease of `lease`, decoded."""
    return typed(lease(node, **fields), Lease)
