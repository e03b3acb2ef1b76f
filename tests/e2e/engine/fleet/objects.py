"""A pod with its partition, its claim and its node, as the plane shows them to the fleet."""

import json
from typing import Any

Object = dict[str, Any]

GIB = 2**30
NODE = "gpu-a"
BDF = "0000:05:00.0"
MODEL = "Qwen/Qwen3-8B"
_ARGS = {"gpu-memory-utilization": 0.9, "max-model-len": 8192, "max-num-seqs": 4}


def pod(
    name: str,
    *,
    model: str = MODEL,
    claim: str = "",
    ready: bool = True,
    arguments: Object | None = None,
    container: Object | None = None,
    annotations: dict[str, str] | None = None,
) -> Object:
    own = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": model, "aim.amd.com/precision": "fp8"}
    own["aim.amd.com/engine-args"] = json.dumps(_ARGS if arguments is None else arguments)
    return {
        "metadata": {
            "namespace": "team",
            "name": name,
            "uid": f"uid-{name}",
            "annotations": own | (annotations or {}),
        },
        "spec": {
            "containers": [{"name": "engine", **(container or {})}],
            "resourceClaims": [{"name": "aim-gpu", "resourceClaimName": claim or f"aim-{name}"}],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def claim(name: str, *, partition: int = 0, phase: str = "Allocated", group: str = "", **shares: Object) -> Object:
    device = {"bdf": BDF, "partition": partition, "bytes": 24 * GIB, "mode": "CPX/NPS4"}
    status: Object = {"phase": phase, "allocation": {"node": NODE, "devices": [device]}}
    if shares:
        status["shares"] = [{"pod": {"name": pod, "uid": f"uid-{pod}"}, **share} for pod, share in shares.items()]
    spec = {"shareGroup": group} if group else {"podRef": {"name": name}}
    return {"metadata": {"namespace": "team", "name": name}, "spec": spec, "status": status}


def node(*, partitions: int = 8, compute_units: int = 38) -> Object:
    reported = [{"id": number, "bytes": 24 * GIB, "computeUnits": compute_units} for number in range(partitions)]
    return {"metadata": {"name": NODE}, "status": {"gpus": [{"bdf": BDF, "partitions": reported}]}}
