"""Pods of real containers, and waiting for them."""

from typing import Any

from e2e.plane import Plane
from e2e.plane.node import BUSYBOX_IMAGE

Object = dict[str, Any]


def container(script: str, **more: Any) -> Object:
    """A container that runs a shell script."""
    return {"name": "main", "image": BUSYBOX_IMAGE, "command": ["sh", "-c", script]} | more


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    """A pod for the real node whose containers are killed soon after they are asked to end."""
    spec = {"containers": list(containers), "nodeName": "real-1", "terminationGracePeriodSeconds": 1} | spec
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def create(plane: Plane, namespace: str, obj: Object) -> str:
    """Create a pod; gives its path."""
    plane.admin.create(f"/api/v1/namespaces/{namespace}/pods", obj)
    return f"/api/v1/namespaces/{namespace}/pods/{obj['metadata']['name']}"


def is_ready(plane: Plane, path: str) -> bool:
    """Whether the pod says that it is Ready."""
    conditions = plane.admin.get(path)["status"].get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def run(plane: Plane, namespace: str, obj: Object) -> str:
    """Create a pod and wait until it is Ready; gives its path."""
    path = create(plane, namespace, obj)
    plane.wait_until(lambda: is_ready(plane, path), f"pod {obj['metadata']['name']} is Ready")
    return path


def log(plane: Plane, path: str) -> str:
    """What the pod's container has written, asked through the API server."""
    status, content = plane.admin.raw("GET", f"{path}/log")
    return content.decode() if status == 200 else f"{status}: {content.decode()}"
