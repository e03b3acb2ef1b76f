"""Claims as the API has them, for tests of who holds what."""

from controller.runtime.manifest import Manifest


def resource_claim(
    name: str, *devices: str, pool: str = "node-0", driver: str = "gpu.amd.com", admin: bool = False
) -> Manifest:
    """A ResourceClaim in namespace `team` that the scheduler gave these devices; none: not allocated."""
    results = [{"driver": driver, "pool": pool, "device": device, "adminAccess": admin} for device in devices]
    status = {"allocation": {"devices": {"results": results}}} if devices else {}
    return {"metadata": {"name": name, "namespace": "team"}, "spec": {}, "status": status}


def partition_claim(
    name: str, *devices: str, node: str = "node-0", memory: str = "17Gi", phase: str = "Bound", model: str | None = None
) -> Manifest:
    """A GPUPartitionClaim in namespace `team` that is bound to these devices."""
    spec: Manifest = {"requirement": {"memory": memory}}
    if model is not None:
        spec["model"] = {"id": model}
    chosen = [{"device": device, "bdf": "0000:05:00.0", "partition": 0, "bytes": 1} for device in devices]
    status = {"phase": phase, "allocation": {"node": node, "devices": chosen}}
    return {"metadata": {"name": name, "namespace": "team"}, "spec": spec, "status": status}
