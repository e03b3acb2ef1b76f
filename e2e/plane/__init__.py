"""The local control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, real and unchanged, with
KWOK in the place of kubelets, as plain processes that need no root and no containers.

In: the pinned Go modules under `tools/` (built once, cached) or `KUBEBUILDER_ASSETS`, our `stages/` (how simulated
nodes and pods behave) and manifests to begin with. Out: an API server in a few seconds, its kubeconfig, tokens and
audit log. Deployments, garbage collection, scheduling and dynamic resource allocation are the real thing; that a pod is
Running is KWOK's word. `Plane(kserve=True)` adds KServe's own controllers, kinds and webhooks; `KSERVE=0` in the
environment is for those who do not want to wait for their build. `Plane(real_nodes=1)` adds a node with a real kubelet
that runs containers, for root on Linux (`node/`). No process outlives the caller.

    from e2e.plane import Plane, add_nodes

    with Plane() as plane:
        add_nodes(plane, ["node-0"])
        print(plane.kubeconfig, plane.admin.get("/api/v1/nodes/node-0")["status"]["phase"])

`python -m e2e.plane` leaves one running for a person; `python -m e2e.plane build` only builds.
"""

from e2e.plane.admin import Admin
from e2e.plane.balancer import Balancer, BalancerStatistics
from e2e.plane.build import ensure_binaries
from e2e.plane.errors import (
    AdminError,
    BuildError,
    ComponentDied,
    LockTimeout,
    NodeUnavailable,
    NotReady,
    PlaneError,
    ToolchainError,
)
from e2e.plane.nodes import NodeShape, add_nodes, remove_nodes
from e2e.plane.plane import Plane, PlaneStatistics
from e2e.plane.programs import kserve_wanted, wanted_families
from e2e.plane.progress import Progress
from e2e.plane.tokens import service_account_token

__all__ = [
    "Admin",
    "AdminError",
    "Balancer",
    "BalancerStatistics",
    "BuildError",
    "ComponentDied",
    "LockTimeout",
    "NodeShape",
    "NodeUnavailable",
    "NotReady",
    "Plane",
    "PlaneError",
    "PlaneStatistics",
    "Progress",
    "ToolchainError",
    "add_nodes",
    "ensure_binaries",
    "kserve_wanted",
    "remove_nodes",
    "service_account_token",
    "wanted_families",
]
