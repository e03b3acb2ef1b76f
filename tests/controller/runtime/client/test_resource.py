"""Paths of collections, objects and subresources."""

import pytest

from controller.runtime.client.core import CLUSTER_ROLES, DEPLOYMENTS, NODES, PODS
from controller.runtime.client.resource import Resource

ROLES_PATH = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@pytest.mark.parametrize(
    ("resource", "parts", "want"),
    [
        pytest.param(PODS, (), "/api/v1/pods", id="core group, all namespaces"),
        pytest.param(PODS, ("a",), "/api/v1/namespaces/a/pods", id="core group, one namespace"),
        pytest.param(PODS, ("a", "p", "status"), "/api/v1/namespaces/a/pods/p/status", id="subresource"),
        pytest.param(DEPLOYMENTS, ("a", "d"), "/apis/apps/v1/namespaces/a/deployments/d", id="named group"),
        pytest.param(NODES, (None, "n"), "/api/v1/nodes/n", id="cluster scope"),
        pytest.param(CLUSTER_ROLES, (None, "system:a.b"), f"{ROLES_PATH}/system:a.b", id="a role's colon and dot"),
        pytest.param(CLUSTER_ROLES, (None, "a/b?c=d\r\n"), f"{ROLES_PATH}/a%2Fb%3Fc%3Dd%0D%0A", id="a hostile name"),
        pytest.param(PODS, ("a b", "p"), "/api/v1/namespaces/a%20b/pods/p", id="a hostile namespace"),
    ],
)
def test_path(resource: Resource, parts: tuple[str | None, ...], want: str) -> None:
    assert resource.path(*parts) == want


@pytest.mark.parametrize(
    ("resource", "parts", "want"),
    [
        pytest.param(NODES, ("a",), "cluster-scoped", id="a namespace for cluster scope"),
        pytest.param(PODS, (None, "p"), "give the namespace", id="an object without its namespace"),
        pytest.param(PODS, ("a", None, "status"), "give the object's name", id="a subresource of nothing"),
        pytest.param(PODS, ("..", "p"), "another path", id="a namespace that climbs"),
        pytest.param(NODES, (None, "."), "another path", id="a name that stays"),
    ],
)
def test_impossible_paths_name_the_remedy(resource: Resource, parts: tuple[str | None, ...], want: str) -> None:
    with pytest.raises(ValueError, match=want):
        resource.path(*parts)
