"""Objects that the plane's tests create."""

from typing import Any

Object = dict[str, Any]


def pod(name: str, **spec: Any) -> Object:
    """A pod of one container; `spec` adds to its spec."""
    containers = [{"name": "main", "image": "example.com/main"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers} | spec}


def deployment(name: str, replicas: int) -> Object:
    """A Deployment of such pods."""
    template = {"metadata": {"labels": {"app": name}}, "spec": pod(name)["spec"]}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def pinned_claim(name: str, index: int) -> Object:
    """A ResourceClaim for the device of that index, and no other."""
    driver = "plane-test.aim.amd.com"
    expression = f'device.attributes["{driver}"].index == {index}'
    exactly = {"deviceClassName": "plane-test", "selectors": [{"cel": {"expression": expression}}]}
    spec = {"devices": {"requests": [{"name": "device", "exactly": exactly}]}}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": name}, "spec": spec}


def widget(name: str, owner: Object | None = None) -> Object:
    """An object of the test's own kind, perhaps owned by another."""
    metadata: Object = {"name": name}
    if owner is not None:
        reference = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        metadata["ownerReferences"] = [{"apiVersion": owner["apiVersion"], "kind": owner["kind"]} | reference]
    return {"apiVersion": "test.aim.amd.com/v1", "kind": "Widget", "metadata": metadata}
