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
    name: str,
    *devices: str,
    node: str = "node-0",
    memory: str = "17Gi",
    phase: str = "Bound",
    model: str | None = None,
    pod: str | None = None,
    service: str | None = None,
) -> Manifest:
    """A GPUPartitionClaim in namespace `team` that is bound to these devices, of a service's pod or of a pod alone.

    `pod` None: of a share group.
    """
    spec: Manifest = {"requirement": {"memory": memory}}
    if model is not None:
        spec["model"] = {"id": model}
    chosen = [{"device": device, "bdf": "0000:05:00.0", "partition": 0, "bytes": 1} for device in devices]
    status = {"phase": phase, "allocation": {"node": node, "devices": chosen}}
    metadata: Manifest = {"name": name, "namespace": "team"}
    if pod is not None:
        spec["podRef"] = {"name": pod, "uid": f"uid-{pod}"}
    if service is not None:
        metadata["labels"] = {"aim.amd.com/inference-service": service, "other": "label"}
    return {"metadata": metadata, "spec": spec, "status": status}
