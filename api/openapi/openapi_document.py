"""One OpenAPI v3.0 document of all kinds in all served versions, for those who generate clients.

``python -m api.openapi.openapi_document --out FILE`` writes it; the file is committed, and a test compares it with
what this module gives. It says what the API server publishes itself once the CRDs are installed, in one file.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from api.group import GROUP, V1BETA1
from api.openapi.crd import crd
from api.openapi.kind import KINDS, Kind
from api.openapi.rest_paths import component, group_version_kind, reference, rest_paths

Schema = dict[str, Any]

COMMITTED: Final = Path(__file__).with_name("openapi.json")
"""The committed document."""

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_KUBERNETES: Final = Path(__file__).with_name("kubernetes_types.json")
_CONVENTIONS: Final = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"


def document() -> dict[str, Any]:
    """The whole document: a schema for each kind and its list, a path for each thing that can be done with it."""
    kubernetes = json.loads(_KUBERNETES.read_text(encoding="utf-8"))
    served = [(kind, version) for kind in KINDS for version in kind.versions]
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for kind, version in served:
        paths |= rest_paths(kind, version)
        schemas[component(version, kind.name)] = kind_schema(kind, version, kubernetes["schemas"])
        schemas[component(version, f"{kind.name}List")] = list_schema(kind, version, kubernetes["schemas"])
    return {
        "openapi": "3.0.3",
        "info": {
            "title": GROUP,
            "description": "Sharing of AMD Instinct GPUs among inference models: the kinds of the group.",
            "version": V1BETA1,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())) | kubernetes["schemas"],
            "parameters": kubernetes["parameters"],
            "securitySchemes": {"BearerToken": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"BearerToken": []}],
    }


def kind_schema(kind: Kind, version: str, kubernetes: Mapping[str, Schema]) -> Schema:
    """The schema of an object, as the API server publishes it: with the metadata of all objects."""
    schema: Schema
    (schema,) = (
        served["schema"]["openAPIV3Schema"] for served in crd(kind)["spec"]["versions"] if served["name"] == version
    )
    described = f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"
    schema["properties"] |= _envelope(kubernetes) | {"metadata": _described(described, "ObjectMeta")}
    return schema | _about(version, kind.name) | _selectable(kind, version)


def list_schema(kind: Kind, version: str, kubernetes: Mapping[str, Schema]) -> Schema:
    """The schema of a list of objects."""
    items = {
        "description": f"List of {kind.plural}. More info: {_CONVENTIONS}",
        "type": "array",
        "items": reference(component(version, kind.name)),
    }
    metadata = _described(f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds", "ListMeta")
    return (
        {
            "description": f"{kind.name}List is a list of {kind.name}",
            "type": "object",
            "required": ["items"],
            "properties": _envelope(kubernetes) | {"metadata": metadata, "items": items},
        }
        | _about(version, f"{kind.name}List")
        | _selectable(kind, version)
    )


def _envelope(kubernetes: Mapping[str, Schema]) -> Schema:
    """apiVersion and kind, in Kubernetes' own words."""
    properties = kubernetes[f"{_META}.Status"]["properties"]
    return {name: properties[name] for name in ("apiVersion", "kind")}


def _described(description: str, name: str) -> Schema:
    # beside a $ref nothing is read; within allOf both count
    return {"description": description, "allOf": [reference(f"{_META}.{name}")]}


def _about(version: str, kind: str) -> Schema:
    return {"x-kubernetes-group-version-kind": [group_version_kind(version, kind)]}


def _selectable(kind: Kind, version: str) -> Schema:
    """By which fields lists and watches can be narrowed, as the API server tells it."""
    paths = kind.versions[version].selectable
    return (
        {"x-kubernetes-selectable-fields": [{"fieldPath": path.removeprefix(".")} for path in paths]} if paths else {}
    )


def to_json(document: Mapping[str, Any]) -> str:
    """The document as text, keys in the order they were made."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the document to the file named by ``--out``."""
    parser = argparse.ArgumentParser(prog="python -m api.openapi.openapi_document", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file")
    parser.parse_args(arguments).out.write_text(to_json(document()), encoding="utf-8")


if __name__ == "__main__":
    main()
