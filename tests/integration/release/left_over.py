"""A cluster whose operator has left, as one that was removed by hand, with all that it wrote."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.group import FINALIZER, GATE
from e2e.plane import Plane
from e2e.run.install import CRD_FILES, add_gpu_nodes, apply_objects, install, kubectl

AS_OPERATOR = ("--as=system:serviceaccount:aim-gpu-system:aim-gpu-operator", "--as-group=system:masters")
NODE = "gpu-r"
Object = dict[str, Any]


def pod(name: str, controller: Object | None = None, claim: str | None = None) -> Object:
    """A pod behind our gate, of a controller or of nobody."""
    made: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": {"aim.amd.com/gpu-sharing": "false"}},
        "spec": {"schedulingGates": [{"name": GATE}], "containers": [{"name": "main", "image": "model"}]},
    }
    if controller:
        made["metadata"]["ownerReferences"] = [controller | {"controller": True}]
    if claim:
        made["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimName": claim}]
    return made


def resource_claim(name: str) -> Object:
    """One that a person made."""
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu.amd.com"}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"devices": {"requests": [request]}},
    }


def group_claim() -> Object:
    """A claim of a share group, which its finalizer keeps."""
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUPartitionClaim",
        "metadata": {"name": "aim-group-x", "namespace": "default", "finalizers": [FINALIZER]},
        "spec": {"shareGroup": "x", "requirement": {"memory": "4Gi", "isolation": "cooperative"}},
    }


@contextmanager
def left() -> Iterator[Plane]:
    """That plane."""
    with Plane(manifests=CRD_FILES) as plane:
        install(plane)
        add_gpu_nodes(plane, [NODE])
        kubectl(plane, "label", "node", NODE, "aim.amd.com/gpu.product=MI300X", "aim.amd.com/metrics-exporter=paused")
        kubectl(plane, "label", "node", NODE, "amd.com/gpu.vram=192G", "amd.com/gpu.family=AI")
        kubectl(plane, "annotate", "node", NODE, "aim.amd.com/node-labels=aim.amd.com/gpu.product,amd.com/gpu.vram")
        kubectl(plane, "taint", "node", NODE, "aim.amd.com/repartitioning=true:NoSchedule", "team=a:NoSchedule")
        apply_objects(plane, [pod("nobodys"), pod("waits", claim="some-claim")])
        # whatever controls it, as long as it is there: a ReplicaSet would at once do something about the pod
        root = plane.admin.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")["metadata"]
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": root["name"], "uid": root["uid"]}
        apply_objects(plane, [pod("made", owner)])
        kubectl(plane, "create", *AS_OPERATOR, "-f", "-", text=json.dumps(group_claim()))
        yield plane
