"""What the controllers look after: widgets of our own kind, and pods as a cluster of inference servers has them."""

from pathlib import Path
from typing import Any

from controller.runtime.client.resource import Resource

WIDGETS_FILE = Path(__file__).with_name("widgets.yaml")
WIDGETS = Resource("bench.aim.amd.com", "v1", "widgets", "Widget")
SENT = "bench.aim.amd.com/sent"
"""Annotation: the wall clock in nanoseconds when the change that carries it was sent."""

Object = dict[str, Any]


def widget(index: int, namespace: str) -> Object:
    """A widget without a status."""
    return {
        "metadata": {
            "name": f"widget-{index:05}",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "widget", "bench.aim.amd.com/shard": str(index % 16)},
        },
        "spec": {"size": index, "owner": f"team-{index % 40}", "parts": ["frame", "motor", "panel"]},
    }


def pod(index: int, namespace: str) -> Object:
    """A pod of a model server with a sidecar, bound to a node, as a user's Deployment would have made it."""
    app = f"model-{index % 200}"
    return {
        "metadata": {
            "name": f"{app}-7c9d8b6f5-{index:05}",
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": app,
                "app.kubernetes.io/part-of": "inference",
                "app.kubernetes.io/managed-by": "deployment",
                "pod-template-hash": "7c9d8b6f5",
                "team": f"team-{index % 40}",
            },
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "9090",
                "checksum/config": f"{index % 200:064x}",
            },
        },
        "spec": {
            "nodeName": f"node-{index % 250}",
            "terminationGracePeriodSeconds": 30,
            "tolerations": [{"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _GPU_NODES}},
            "volumes": [
                {"name": "models", "emptyDir": {}},
                {"name": "config", "configMap": {"name": f"{app}-config"}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
            ],
            "initContainers": [_container("fetch-model", "500m", "1Gi", ["models"])],
            "containers": [
                _container("server", "4", "64Gi", ["models", "config", "shm"]) | _SERVES,
                _container("metrics-proxy", "100m", "128Mi", ["config"]),
            ],
        },
    }


_GPU_NODES = {
    "nodeSelectorTerms": [
        {"matchExpressions": [{"key": "feature.node.kubernetes.io/amd-gpu", "operator": "In", "values": ["true"]}]}
    ]
}
_SERVES: Object = {
    "ports": [{"name": "http", "containerPort": 8000}, {"name": "metrics", "containerPort": 9090}],
    "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5, "failureThreshold": 3},
    "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}, "initialDelaySeconds": 120},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}


def _container(name: str, cpu: str, memory: str, volumes: list[str]) -> Object:
    return {
        "name": name,
        "image": f"registry.example.com/inference/{name}:2.7.1",
        "args": ["--config=/etc/server/config.yaml", "--log-level=info", "--listen=0.0.0.0:8000"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "HF_HOME", "value": "/models/cache"},
            {"name": "OMP_NUM_THREADS", "value": "8"},
        ],
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        "volumeMounts": [{"name": volume, "mountPath": f"/mnt/{volume}"} for volume in volumes],
    }


def pod_status(index: int) -> Object:
    """The status of that pod once a kubelet runs it."""
    address = f"10.244.{index // 250}.{index % 250}"
    since = "2026-11-01T08:00:00Z"
    types = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": since} for kind in types],
        "hostIP": f"192.168.1.{index % 250}",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": since,
        "containerStatuses": [_container_status(name, index, since) for name in ("server", "metrics-proxy")],
    }


def _container_status(name: str, index: int, since: str) -> Object:
    return {
        "name": name,
        "image": f"registry.example.com/inference/{name}:2.7.1",
        "imageID": f"registry.example.com/inference/{name}@sha256:{index % 7:064x}",
        "containerID": f"containerd://{index:064x}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": since}},
        "lastState": {},
    }
