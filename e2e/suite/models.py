"""Models of the scenarios: containers that wait where engines would compute. Pure."""

from typing import Any

Object = dict[str, Any]

SMALL = "Qwen/Qwen2.5-0.5B-Instruct"
"""Fits every partition of every product."""
HUGE = "deepseek-ai/DeepSeek-V3"
"""Fits no single GPU."""

PORT = 8080
"""Where they listen, since KServe's probe asks there."""
ANSWER = "here"
"""What they say to whom asks."""
# PID 1 ignores a signal that it has no handler for, and would be killed at the end of its grace.
_SERVES = f"echo {ANSWER} >/tmp/index.html; httpd -p {PORT} -h /tmp"
_WAITS = ["sh", "-c", f"trap 'exit 0' TERM; {_SERVES}; while :; do sleep 1; done"]


def container(image: str) -> Object:
    """A container that asks for next to nothing."""
    return {
        "name": "kserve-container",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": _WAITS,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }


def service(name: str, namespace: str, image: str, model: str = SMALL) -> Object:
    """An InferenceService of ours; what runs its pods is the operator's choice."""
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"model": {"id": model}, "predictor": {"containers": [container(image)]}},
    }


def kserve_service(name: str, namespace: str, image: str, model: str = SMALL) -> Object:
    """An InferenceService of KServe's with our annotations: a Deployment, whatever the cluster has of Knative."""
    annotations = {
        "aim.amd.com/gpu-sharing": "true",
        "aim.amd.com/model-id": model,
        "serving.kserve.io/autoscalerClass": "none",
        "serving.kserve.io/deploymentMode": "Standard",
    }
    labels = {"networking.kserve.io/visibility": "cluster-local"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations, "labels": labels},
        "spec": {"predictor": {"minReplicas": 1, "containers": [container(image)]}},
    }


def deployment(name: str, namespace: str, image: str, replicas: int = 1, **asked: str) -> Object:
    """A Deployment whose pods ask by annotations; underscores of `asked` stand for dashes."""
    annotations = {f"aim.amd.com/{key.replace('_', '-')}": value for key, value in asked.items()}
    annotations |= {"aim.amd.com/gpu-sharing": "true"}
    annotations.setdefault("aim.amd.com/model-id", SMALL)
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [container(image)]},
            },
        },
    }
