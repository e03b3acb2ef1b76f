"""Objects as the API server shows them, as short as the checks allow."""

from typing import Any

Object = dict[str, Any]


def resource_claim(
    name: str, *devices: str, namespace: str = "a", reserved: tuple[str, ...] = (), **more: Any
) -> Object:
    results = [{"driver": "gpu.amd.com", "pool": "node-0", "device": device, **more} for device in devices]
    status = {"allocation": {"devices": {"results": results}}, "reservedFor": [{"name": pod} for pod in reserved]}
    return {"metadata": {"namespace": namespace, "name": name}, "status": status if devices else {}}


def claim(
    name: str, *, partition: int = 0, phase: str = "Allocated", device: str = "gpu-0-128", rebinds: int = 0
) -> Object:
    held = {"pool": "node-0", "device": device, "bdf": "0000:05:00.0", "partition": partition, "bytes": 2 << 30}
    return {
        "metadata": {"namespace": "a", "name": name},
        "spec": {"requirement": {"memory": "1Gi"}, "model": {"id": "owner/model"}},
        "status": {"phase": phase, "allocation": {"node": "node-0", "devices": [held]}, "rebinds": rebinds},
    }


def group_claim(name: str, **shares: int) -> Object:
    """The claim of a share group on a partition of 2 GiB; `shares`: bytes by pod."""
    found = claim(name)
    found["spec"] = {"requirement": {"memory": "1Gi"}, "shareGroup": "group"}
    found["status"]["shares"] = [{"pod": {"name": pod, "uid": f"uid-{pod}"}, "bytes": n} for pod, n in shares.items()]
    return found


def refused(name: str, reason: str) -> Object:
    bound = {"type": "Bound", "status": "False", "reason": reason, "message": "because"}
    return {
        "metadata": {"namespace": "a", "name": name},
        "spec": {"requirement": {}},
        "status": {"phase": "Pending", "conditions": [bound]},
    }


def pod(
    name: str,
    claim_name: str,
    *,
    ready: bool = True,
    gated: bool = False,
    app: str = "",
    service: str = "",
    kserve: str = "",
) -> Object:
    labels = {"app": app} if app else {}
    labels |= {"aim.amd.com/inference-service": service} if service else {}
    labels |= {"serving.kserve.io/inferenceservice": kserve} if kserve else {}
    conditions = [{"type": "Ready", "status": str(ready)}]
    spec: Object = {"resourceClaims": [{"name": "aim-gpu", "resourceClaimName": claim_name}]}
    if gated:
        spec["schedulingGates"] = [{"name": "aim.amd.com/partition"}]
    return {
        "metadata": {"namespace": "a", "name": name, "uid": f"uid-{name}", "labels": labels},
        "spec": spec,
        "status": {"phase": "Running", "conditions": conditions},
    }


def deployment(name: str, replicas: int = 1, *, opted_in: bool = True, expect: str = "") -> Object:
    annotations = {"examples.aim.amd.com/expect": expect} if expect else {}
    template = {"metadata": {"annotations": {"aim.amd.com/gpu-sharing": "true"} if opted_in else {}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "a", "name": name, "generation": 1, "annotations": annotations},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
        "status": {"observedGeneration": 1},
    }


def inference_service(name: str, *, allocated: str = "True", ready: str = "True", reason: str = "Because") -> Object:
    conditions = [
        {"type": "Allocated", "status": allocated, "reason": reason, "message": "because"},
        {"type": "Ready", "status": ready, "reason": reason, "message": "because"},
    ]
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"namespace": "a", "name": name, "generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "conditions": conditions},
    }


def kserve_service(
    name: str, replicas: int = 1, *, allocated: str = "True", ready: str = "True", opted_in: bool = True
) -> Object:
    told = {"reason": "TooLarge", "message": "because", "severity": "Info"}
    conditions = [{"type": "Ready", "status": ready}, {"type": "GPUPartitionAllocated", "status": allocated} | told]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "namespace": "a",
            "name": name,
            "annotations": {"aim.amd.com/gpu-sharing": "true"} if opted_in else {},
        },
        "spec": {"predictor": {"minReplicas": replicas}},
        "status": {"observedGeneration": 7, "conditions": conditions},
    }
