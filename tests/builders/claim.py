"""GPUPartitionClaims as the API server has them."""

from typing import Any

from controller.placement.snapshot import Gpu
from tests.builders.gpu import gpu


def claim(
    name: str = "aim-a",
    *,
    namespace: str = "team-a",
    memory: str | None = "16Gi",
    modes: tuple[str, ...] = (),
    precision: str | None = None,
    pod: str = "model-0",
    uid: str | None = None,
    version: str = "1",
    count: int = 1,
    status: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A pending claim; `memory` None is one that could not be sized."""
    requirement: dict[str, Any] = {"modes": list(modes), "count": count} | ({"memory": memory} if memory else {})
    if precision is not None:
        requirement["precision"] = precision
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUPartitionClaim",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{namespace}/{name}",
            "resourceVersion": version,
            "generation": 1,
        },
        "spec": {"podRef": {"name": pod, "uid": f"uid-{pod}"}, "requirement": requirement},
        "status": status or {"phase": "Pending"},
    }


def allocation(node: str = "worker-0", number: int = 0, *indices: int, of: Gpu | None = None) -> dict[str, Any]:
    """The allocation of partitions of GPU `number` (in CPX unless `of` says otherwise); of the first one by default."""
    whole = of or gpu(number)
    return {
        "node": node,
        "devices": [
            {
                "device": partition.device,
                "pool": node,
                "renderIndex": partition.render_index,
                "bdf": whole.bdf,
                "partition": partition.id.index,
                "mode": str(whole.mode),
                "bytes": partition.bytes,
            }
            for partition in (whole.partitions[index] for index in indices or (0,))
        ],
        "binding": "DRA",
    }


def bound_claim(
    name: str = "aim-a", node: str = "worker-0", number: int = 0, index: int = 0, *, phase: str = "Bound", **fields: Any
) -> dict[str, Any]:
    """A claim that has a partition."""
    given = {"phase": phase, "allocation": allocation(node, number, index), "boundTime": "2026-01-01T00:00:00Z"}
    return claim(name, status=given, **fields)
