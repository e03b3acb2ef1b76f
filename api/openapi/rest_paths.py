"""The paths at which the API server serves a kind, as items of an OpenAPI document.

Names of operations are those that Kubernetes gives them, so that generated clients look like its own.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.group import GROUP
from api.openapi.kind import Kind

Item = dict[str, Any]

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_STATUS: Final = f"{_META}.Status"
_SCALE: Final = "io.k8s.api.autoscaling.v1.Scale"

_LISTING: Final = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_WRITING: Final = ("dryRun", "fieldManager", "fieldValidation")
_DELETING: Final = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
_BODY_TYPES: Final = ("application/json", "application/yaml")
_PATCH_TYPES: Final = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_ANSWERS: Final[Mapping[int, str]] = {200: "OK", 201: "Created", 202: "Accepted"}


def component(version: str, name: str) -> str:
    """The name of a type of ours among a document's schemas: the group backwards, version, type."""
    return ".".join([*reversed(GROUP.split(".")), version, name])


def reference(name: str) -> Item:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def group_version_kind(version: str, kind: str) -> Item:
    """What a type or an operation is about, for clients."""
    return {"group": GROUP, "kind": kind, "version": version}


def rest_paths(kind: Kind, version: str) -> dict[str, Item]:
    """Every path of one version of a kind."""
    return _Paths(kind, version).items()


class _Paths:
    """The paths of one version of a kind."""

    def __init__(self, kind: Kind, version: str) -> None:
        self._kind = kind
        self._version = version
        self._object = component(version, kind.name)
        self._list = component(version, f"{kind.name}List")
        self._operations = "".join(part.capitalize() for part in (*GROUP.split("."), version))
        self._scoped = f"Namespaced{kind.name}" if kind.namespaced else kind.name

    def items(self) -> dict[str, Item]:
        root = f"/apis/{GROUP}/{self._version}"
        plural = self._kind.plural
        everywhere = f"{root}/{plural}"
        collection = f"{root}/namespaces/{{namespace}}/{plural}" if self._kind.namespaced else everywhere
        item = f"{collection}/{{name}}"
        paths = {collection: self._collection(), item: self._object_item()}
        for part, schema in self._subresources().items():
            paths[f"{item}/{part}"] = self._subresource(part, schema)
        if self._kind.namespaced:
            listed = self._listed(f"{self._kind.name}ForAllNamespaces")
            paths[everywhere] = {"get": listed, "parameters": _parameters(["pretty"])}
        return paths

    def _subresources(self) -> dict[str, str]:
        scaled = self._kind.versions[self._version].scale is not None
        return {"status": self._object} | ({"scale": _SCALE} if scaled else {})

    def _collection(self) -> Item:
        name = self._kind.name
        return {
            "get": self._listed(self._scoped),
            "post": self._operation("post", f"create a new {name}", f"create/{self._scoped}", _WRITING)
            | _body(_BODY_TYPES, self._object)
            | _responses([200, 201, 202], self._object),
            "delete": self._operation(
                "deletecollection", f"delete a collection of {name}", f"delete/Collection{self._scoped}", _LISTING
            )
            | _responses([200], _STATUS),
            "parameters": self._scope(),
        }

    def _listed(self, operation: str) -> Item:
        described = f"list objects of kind {self._kind.name}, or watch them"
        return self._operation("list", described, f"list/{operation}", _LISTING) | _responses([200], self._list)

    def _object_item(self) -> Item:
        name = self._kind.name
        deleted = self._operation("delete", f"delete the specified {name}", f"delete/{self._scoped}", _DELETING)
        options = _body(_BODY_TYPES, f"{_META}.DeleteOptions", required=False)
        return self._readable("", self._object) | {
            "delete": deleted | options | _responses([200, 202], _STATUS),
            "parameters": self._named(),
        }

    def _subresource(self, part: str, schema: str) -> Item:
        return self._readable(part, schema) | {"parameters": self._named()}

    def _readable(self, part: str, schema: str) -> Item:
        """Read, replace and patch an object, or a part of it."""
        about = f"{part} of the specified {self._kind.name}" if part else f"the specified {self._kind.name}"
        name = self._scoped + part.capitalize()
        return {
            "get": self._operation("get", f"read {about}", f"read/{name}", ["resourceVersion"])
            | _responses([200], schema),
            "put": self._operation("put", f"replace {about}", f"replace/{name}", _WRITING)
            | _body(_BODY_TYPES, schema)
            | _responses([200, 201], schema),
            "patch": self._operation("patch", f"partially update {about}", f"patch/{name}", [*_WRITING, "force"])
            | _body(_PATCH_TYPES, f"{_META}.Patch")
            | _responses([200], schema),
        }

    def _operation(self, action: str, described: str, named: str, parameters: Iterable[str]) -> Item:
        """An operation without body and answers; ``named`` is its verb, a slash, and what it is done to."""
        verb, target = named.split("/")
        return {
            "tags": [self._operations[0].lower() + self._operations[1:]],
            "description": described,
            "operationId": f"{verb}{self._operations}{target}",
            "parameters": _parameters(parameters),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": group_version_kind(self._version, self._kind.name),
        }

    def _scope(self) -> list[Item]:
        return _parameters(["namespace", "pretty"] if self._kind.namespaced else ["pretty"])

    def _named(self) -> list[Item]:
        named = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
        return [named | {"description": f"name of the {self._kind.name}"}, *self._scope()]


def _parameters(names: Iterable[str]) -> list[Item]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _content(types: Iterable[str], schema: str) -> Item:
    return {"content": {media: {"schema": reference(schema)} for media in types}}


def _body(types: Iterable[str], schema: str, *, required: bool = True) -> Item:
    return {"requestBody": _content(types, schema) | ({"required": True} if required else {})}


def _responses(codes: Iterable[int], schema: str) -> Item:
    answers = {str(code): {"description": _ANSWERS[code]} | _content(_BODY_TYPES, schema) for code in codes}
    return {"responses": answers | {"401": {"description": "Unauthorized"}}}
