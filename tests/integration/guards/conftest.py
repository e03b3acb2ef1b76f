"""A plane with our manifests whose guards bite, and a namespace's user with every right there that he might be given."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from e2e.plane import Admin, Plane, service_account_token
from e2e.plane.admin import JSON_PATCH, MERGE_PATCH
from e2e.run.install import SYSTEM_NAMESPACE

Object = dict[str, Any]
GATE = "aim.amd.com/partition"
AIM = "/apis/aim.amd.com/v1beta1"
REFUSED = 422

RIGHTS = [
    {"apiGroups": [""], "resources": ["pods", "pods/status", "events"], "verbs": ["*"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["*"]},
    {"apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims", "resourceclaimtemplates"], "verbs": ["*"]},
    {
        "apiGroups": ["aim.amd.com"],
        "resources": ["gpupartitionclaims", "gpupartitionclaims/status", "inferenceservices"],
        "verbs": ["*"],
    },
]


@dataclass(frozen=True)
class Party:
    """Somebody who asks, in one namespace."""

    client: Admin
    namespace: str

    @property
    def pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    @property
    def deployments(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    @property
    def resource_claims(self) -> str:
        return f"/apis/resource.k8s.io/v1/namespaces/{self.namespace}/resourceclaims"

    @property
    def templates(self) -> str:
        return f"/apis/resource.k8s.io/v1/namespaces/{self.namespace}/resourceclaimtemplates"

    @property
    def claims(self) -> str:
        return f"{AIM}/namespaces/{self.namespace}/gpupartitionclaims"

    def ask(
        self, method: str, path: str, body: Object | list[Any] | None = None, content_type: str | None = None
    ) -> tuple[int, str]:
        """Status and message of one request; the message of what was accepted is empty."""
        patches = JSON_PATCH if isinstance(body, list) else MERGE_PATCH
        chosen = content_type or (patches if method == "PATCH" else "application/json")
        status, answer = self.client.raw(method, path, body, chosen)
        told: Object = json.loads(answer)
        return status, told.get("message", "") if told.get("kind") == "Status" else ""

    def refused(
        self, method: str, path: str, body: Object | list[Any] | None = None, content_type: str | None = None
    ) -> str:
        """The message of a request that one of our guards must refuse."""
        status, message = self.ask(method, path, body, content_type)
        assert status == REFUSED, f"{status}: {message}"
        assert "ValidatingAdmissionPolicy 'aim-gpu-" in message, message
        return message

    def accepted(
        self, method: str, path: str, body: Object | list[Any] | None = None, content_type: str | None = None
    ) -> None:
        """Fails with the message unless the request is accepted."""
        status, message = self.ask(method, path, body, content_type)
        assert status < http.client.MULTIPLE_CHOICES, f"{status}: {message}"


def pod(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "main", "image": "example.com/main"}], **spec},
    }


def gated(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    return pod(name, annotations, schedulingGates=[{"name": GATE}], **spec)


def naming(claim: str) -> Object:
    """The part of a pod's spec that names a ResourceClaim."""
    return {"resourceClaims": [{"name": "aim-gpu", "resourceClaimName": claim}]}


def resource_claim(name: str, **metadata: Any) -> Object:
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu.amd.com"}}
    return {"metadata": {"name": name, **metadata}, "spec": {"devices": {"requests": [request]}}}


def partition_claim(name: str, pod_name: str = "chat", uid: str = "u-1", **metadata: Any) -> Object:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUPartitionClaim",
        "metadata": {"name": name, **metadata},
        "spec": {"podRef": {"name": pod_name, "uid": uid}, "requirement": {"memory": "1Gi"}},
    }


@pytest.fixture(scope="session")
def guarded(installed_plane: Plane) -> Plane:
    """The installed plane once every guard bites: a new binding takes about a second."""
    plane = installed_plane
    party = Party(plane.admin, "default")
    plane.admin.create(party.pods, gated("guard-probe"))
    probes: list[tuple[str, str, Object]] = [
        ("POST", party.pods, pod("probe", {"aim.amd.com/engine-args": "x"})),
        ("PATCH", f"{party.pods}/guard-probe", {"spec": {"schedulingGates": None}}),
        ("POST", party.resource_claims, resource_claim("aim-probe")),
        ("POST", party.claims, partition_claim("aim-probe")),
        ("POST", f"{AIM}/gpunodes", gpu_node("probe", operation())),
    ]

    def bite() -> bool:
        return all(party.ask(method, f"{path}?dryRun=All", body)[0] == REFUSED for method, path, body in probes)

    plane.wait_until(bite, "the guards bite")
    plane.admin.delete(f"{party.pods}/guard-probe")
    return plane


def operation(after: str = "CPX/NPS1") -> Object:
    layouts = [{"gpus": [{"bdf": "0000:05:00.0", "mode": mode}]} for mode in ("SPX/NPS1", after)]
    return {"id": "op-1", "from": layouts[0], "to": layouts[1]}


def gpu_node(name: str, operation: Object | None = None) -> Object:
    spec = {"operation": operation} if operation else {}
    return {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUNode", "metadata": {"name": name}, "spec": spec}


def make_user(plane: Plane, namespace: str) -> Party:
    """A ServiceAccount with all of RIGHTS in the namespace, and nothing beyond it."""
    name = f"user-{uuid4().hex[:6]}"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    plane.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    plane.admin.create(f"{rbac}/roles", {"metadata": {"name": name}, "rules": RIGHTS})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    plane.admin.create(f"{rbac}/rolebindings", binding)
    token = service_account_token(plane, namespace, name)
    user = Party(Admin(plane.server, plane.ca, token), namespace)
    plane.wait_until(lambda: user.ask("GET", user.claims)[0] == http.client.OK, f"the rights of {name} count")
    return user


@pytest.fixture
def user(guarded: Plane, namespace: str) -> Party:
    """The user of a fresh namespace. No operator runs, so our webhook is down."""
    return make_user(guarded, namespace)


@pytest.fixture
def operator(guarded: Plane, namespace: str) -> Party:
    """The operator's own identity, by hand, in the user's namespace."""
    return Party(
        Admin(guarded.server, guarded.ca, service_account_token(guarded, SYSTEM_NAMESPACE, "aim-gpu-operator")),
        namespace,
    )
