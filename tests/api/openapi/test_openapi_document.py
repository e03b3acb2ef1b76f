"""The document: valid OpenAPI 3.0, complete, equal to the committed file."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from api.openapi import openapi_document
from api.openapi.crd import crds
from api.openapi.kind import KINDS

DOCUMENT = openapi_document.document()
SCHEMAS = DOCUMENT["components"]["schemas"]
SERVED = [(kind, version) for kind in KINDS for version in kind.versions]
SERVED_NAMES = [f"{kind.name} {version}" for kind, version in SERVED]


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


def problems(document: dict[str, Any]) -> list[str]:
    from openapi_spec_validator import OpenAPIV30SpecValidator  # two seconds of importing

    return [error.message for error in OpenAPIV30SpecValidator(document).iter_errors()]


def test_it_is_valid_openapi_3_0() -> None:
    assert problems(DOCUMENT) == []


def test_an_invalid_document_would_be_noticed() -> None:
    broken = deepcopy(DOCUMENT)
    broken["components"]["schemas"]["com.amd.aim.v1beta1.GPUNode"]["type"] = "text"
    assert problems(broken)


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to() -> None:
    referred = {node["$ref"] for node in nodes(DOCUMENT) if isinstance(node.get("$ref"), str)}
    there = {
        f"#/components/{part}/{name}" for part in ("schemas", "parameters") for name in DOCUMENT["components"][part]
    }
    assert referred == there


@pytest.mark.parametrize(("kind", "version"), SERVED, ids=SERVED_NAMES)
def test_types_are_named_as_kubernetes_names_them(kind: Any, version: str) -> None:
    for name in (kind.name, f"{kind.name}List"):
        (about,) = SCHEMAS[f"com.amd.aim.{version}.{name}"]["x-kubernetes-group-version-kind"]
        assert about == {"group": "aim.amd.com", "version": version, "kind": name}


def operations(paths: dict[str, Any], plural: str, version: str) -> dict[str, set[str]]:
    """The methods of each path of one resource, by what follows its name."""
    found: dict[str, set[str]] = {}
    for path, item in paths.items():
        head, _, rest = path.partition(f"/{plural}")
        if head.startswith(f"/apis/aim.amd.com/{version}") and path.split("/")[-1 - rest.count("/")] == plural:
            found.setdefault(head.rpartition(version)[2] + rest, set()).update(item.keys() - {"parameters"})
    return found


@pytest.mark.parametrize(("kind", "version"), SERVED, ids=SERVED_NAMES)
def test_a_resource_has_the_paths_of_its_scope(kind: Any, version: str) -> None:
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    want = {
        scope: {"get", "post", "delete"},
        f"{scope}/{{name}}": {"get", "put", "patch", "delete"},
        f"{scope}/{{name}}/status": {"get", "put", "patch"},
    }
    if kind.namespaced:
        want[""] = {"get"}
    if kind.versions[version].scale:
        want[f"{scope}/{{name}}/scale"] = {"get", "put", "patch"}
    assert operations(DOCUMENT["paths"], kind.plural, version) == want


def test_operations_have_names_of_their_own() -> None:
    names = [node["operationId"] for node in nodes(DOCUMENT["paths"]) if "operationId" in node]
    assert len(names) == len(set(names))
    assert "replaceAimAmdComV1beta1NamespacedInferenceServiceScale" in names
    assert "deleteAimAmdComV1beta1CollectionGPUNode" in names


@pytest.mark.parametrize("definition", crds(), ids=[kind.name for kind in KINDS])
def test_a_schema_says_what_the_crd_says(definition: dict[str, Any]) -> None:
    for version in definition["spec"]["versions"]:
        schema = SCHEMAS[f"com.amd.aim.{version['name']}.{definition['spec']['names']['kind']}"]
        want = version["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            assert schema["properties"][part] == want["properties"][part]
        assert schema.get("x-kubernetes-validations") == want.get("x-kubernetes-validations")


def test_the_committed_file_is_the_generated_one() -> None:
    text = openapi_document.COMMITTED.read_text(encoding="utf-8")
    assert text == openapi_document.to_json(DOCUMENT), "run `make generate`"


def test_the_command_writes_it(tmp_path: Path) -> None:
    openapi_document.main(["--out", str(tmp_path / "openapi.json")])
    assert json.loads((tmp_path / "openapi.json").read_text(encoding="utf-8")) == DOCUMENT
