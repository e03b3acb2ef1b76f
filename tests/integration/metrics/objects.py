"""What the story puts on the plane: services, Deployments, plans and policies, each pinned to a node. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from controller.binding.dra import DEVICE_CLASS, DRIVER
from tests.integration.operator import running
from tests.integration.operator.running import Object

SMALL: Final = "Qwen/Qwen2.5-0.5B-Instruct"
SCENE_LABEL: Final = "scene"
"""Of each node, with its name: what is to be on one node is pinned to it by this."""
BESIDE: Final = "-beside"
"""Ends the name of a node that is pinned to by the name of the other."""


def service(name: str, node: str, model: str = SMALL, **spec: Any) -> Object:
    """An InferenceService whose pods are to be on that node."""
    made = running.service(name, model, **spec)
    made["spec"]["predictor"]["nodeSelector"] = {SCENE_LABEL: node}
    return made


def deployment(name: str, node: str, replicas: int = 1, model: str = SMALL, **more: str) -> Object:
    """An annotated Deployment whose pods are to be on that node."""
    return running.deployment(name, replicas, running.opt_in(model, **more), nodeSelector={SCENE_LABEL: node})


def kubernetes_service(app: str) -> Object:
    """The Kubernetes Service before an app's pods, by whose name they are known."""
    ports = [{"name": "http", "port": 80, "targetPort": 8000}]
    return {"metadata": {"name": app}, "spec": {"selector": {"app": app}, "ports": ports}}


def stranger(service: str) -> Object:
    """An entry in a service's place that names no pod."""
    return {
        "metadata": {"name": f"{service}-stranger", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.7"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
    }


def policy(node: str, **repartition: Any) -> Object:
    """A policy for that node alone."""
    rules = {
        "enabled": True,
        "approval": "Auto",
        "cooldown": "1s",
        "maxParallelNodes": 8,
        "divide": "WhenFull",
    } | repartition
    return _policy(node, validatedOnly=False, repartition=rules)


def shared_policy(node: str, seats: int, patience: str) -> Object:
    """A policy for that node alone: services that share a partition have so many requests in flight together, and one
    of the class standard waits so long at most for better ones.
    """
    classes = [
        {"name": "realtime", "rank": 0, "weight": 8, "starvationAfter": patience},
        {"name": "standard", "rank": 1, "weight": 4, "starvationAfter": patience},
    ]
    return _policy(node, sharedConcurrency=seats, qosClasses=classes)


def _policy(node: str, **spec: Any) -> Object:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": node},
        "spec": {"nodeSelector": {"matchLabels": {SCENE_LABEL: node}}, **spec},
    }


def plan(gpu_node: Mapping[str, Any], mode: str, **spec: Any) -> Object:
    """A person's plan: all GPUs of a node, as it reports them, into another mode."""
    name, gpus = gpu_node["metadata"]["name"], gpu_node["status"]["gpus"]
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "RepartitionPlan",
        "metadata": {"name": f"{name}-by-hand"},
        "spec": {
            "node": name,
            "from": {"gpus": [{"bdf": gpu["bdf"], "mode": gpu["mode"]} for gpu in gpus]},
            "to": {"gpus": [{"bdf": gpu["bdf"], "mode": mode} for gpu in gpus]},
            "reason": "the story wants it",
            "approval": "Auto",
            **spec,
        },
    }


def foreign_claim() -> Object:
    """A ResourceClaim of somebody who knows nothing of us."""
    spec = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": DEVICE_CLASS}}]}}
    return {"metadata": {"name": "foreign"}, "spec": spec}


def allocation(node: str, device: str) -> Object:
    """The status by which a device of a node is given to a ResourceClaim."""
    results = [{"request": "gpu", "driver": DRIVER, "pool": node, "device": device}]
    return {"status": {"allocation": {"devices": {"results": results}}}}
