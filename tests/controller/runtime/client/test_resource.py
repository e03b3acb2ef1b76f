"""Paths of collections, objects and subresources."""

import pytest

from controller.runtime.client.core import DEPLOYMENTS, NODES, PODS
from controller.runtime.client.resource import Resource


@pytest.mark.parametrize(
    ("resource", "parts", "want"),
    [
        pytest.param(PODS, (), "/api/v1/pods", id="core group, all namespaces"),
        pytest.param(PODS, ("a",), "/api/v1/namespaces/a/pods", id="core group, one namespace"),
        pytest.param(PODS, ("a", "p", "status"), "/api/v1/namespaces/a/pods/p/status", id="subresource"),
        pytest.param(DEPLOYMENTS, ("a", "d"), "/apis/apps/v1/namespaces/a/deployments/d", id="named group"),
        pytest.param(NODES, (None, "n"), "/api/v1/nodes/n", id="cluster scope"),
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
    ],
)
def test_impossible_paths_name_the_remedy(resource: Resource, parts: tuple[str | None, ...], want: str) -> None:
    with pytest.raises(ValueError, match=want):
        resource.path(*parts)
