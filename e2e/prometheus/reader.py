"""Who may read our metrics: a ServiceAccount as a cluster's Prometheus has one."""

from e2e.plane import Plane, service_account_token

_NAMESPACE = "monitoring"
_ACCOUNT = "prometheus"


def reader_token(plane: Plane) -> str:
    """A token of a ServiceAccount that may read metrics, and nothing else; both are made. Raises ApiError."""
    plane.admin.create("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
    plane.admin.create(f"/api/v1/namespaces/{_NAMESPACE}/serviceaccounts", {"metadata": {"name": _ACCOUNT}})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aim-gpu-metrics-reader"}
    subject = {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": _NAMESPACE}
    binding = {"metadata": {"name": "prometheus-reads-aim-gpu"}, "roleRef": role, "subjects": [subject]}
    plane.admin.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    return service_account_token(plane, _NAMESPACE, _ACCOUNT)
