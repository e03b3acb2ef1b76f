"""What the API server publishes of our kinds is what our document says."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.openapi import openapi_document
from api.openapi.kind import KINDS
from e2e.plane import Plane

pytestmark = pytest.mark.plane

DOCUMENT = openapi_document.document()
SERVED = [(kind.name, version) for kind in KINDS for version in kind.versions]
VERSIONS = sorted({version for _, version in SERVED})


@pytest.fixture(scope="module")
def published(plane: Plane) -> dict[str, dict[str, Any]]:
    """The document that the server publishes of each version, once it has taken in all definitions."""

    def documents() -> dict[str, dict[str, Any]]:
        index = plane.admin.get("/openapi/v3")["paths"]
        paths = {version: f"apis/aim.amd.com/{version}" for version in VERSIONS}
        return {
            version: plane.admin.get(index[path]["serverRelativeURL"])
            for version, path in paths.items()
            if path in index
        }

    plane.wait_until(lambda: every_kind_is_in(documents()), "the API server publishes every kind")
    return documents()


def every_kind_is_in(documents: dict[str, dict[str, Any]]) -> bool:
    return all(schema_of(documents.get(version, {}), kind, version) for kind, version in SERVED)


def schema_of(document: dict[str, Any], kind: str, version: str) -> dict[str, Any]:
    found: dict[str, Any] = document.get("components", {}).get("schemas", {}).get(f"com.amd.aim.{version}.{kind}", {})
    return found


def differences(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    """Where two JSON documents differ, the deepest places only."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}")
    elif ours != theirs:
        yield f"{path}: we say {ours!r}, the server {theirs!r}"


@pytest.mark.parametrize(("kind", "version"), SERVED)
@pytest.mark.parametrize("suffix", ["", "List"], ids=["object", "list"])
def test_a_kind_is_published_as_our_document_says(
    published: dict[str, dict[str, Any]], kind: str, version: str, suffix: str
) -> None:
    name = kind + suffix
    theirs = schema_of(published[version], name, version)
    assert theirs["properties"]
    assert list(differences(schema_of(DOCUMENT, name, version), theirs, name)) == []


def operations(document: dict[str, Any], version: str) -> dict[str, str]:
    """The name of each operation of a version, by method and path."""
    return {
        f"{method} {path}": operation["operationId"]
        for path, item in document["paths"].items()
        if path.startswith(f"/apis/aim.amd.com/{version}/")
        for method, operation in item.items()
        if method != "parameters"
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_operations_are_those_of_the_server(published: dict[str, dict[str, Any]], version: str) -> None:
    assert operations(DOCUMENT, version) == operations(published[version], version)


def without_what_we_leave_out(node: Any) -> Any:
    """A node of the server's, without defaults {} of structs."""
    if isinstance(node, dict):
        kept = {key: child for key, child in node.items() if (key, child) != ("default", {})}
        return {key: without_what_we_leave_out(child) for key, child in kept.items()}
    return node


def test_types_of_kubernetes_are_those_of_the_server(published: dict[str, dict[str, Any]]) -> None:
    listed = ("DeleteOptions", "Status")  # these name every group of the server
    theirs = published["v1beta1"]["components"]["schemas"]
    for name, ours in DOCUMENT["components"]["schemas"].items():
        if name.startswith("io.k8s."):
            want = without_what_we_leave_out(theirs[name])
            if name.rpartition(".")[2] in listed:
                del want["x-kubernetes-group-version-kind"]
            assert list(differences(ours, want, name)) == []
