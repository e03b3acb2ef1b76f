"""The writing verbs. Objects go in and come out as dicts; none that was passed in is changed.

With `dry_run` the server does all but store: admission, defaulting and validation answer, nothing is kept.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from controller.runtime.client.core import PODS
from controller.runtime.client.decoding import decode
from controller.runtime.client.resource import Resource
from controller.runtime.client.sender import Sender
from controller.runtime.client.transport import Check, HttpRequest
from controller.runtime.manifest import Manifest

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

_NO_PARAMS: Final[Mapping[str, str]] = {}
_DRY_RUN: Final[Mapping[str, str]] = {"dryRun": "All"}


class Writer:
    """Writes objects through a sender; `check` (None: none) sees each write before it goes out."""

    def __init__(self, sender: Sender, check: Check | None) -> None:
        self._sender = sender
        self._check = check

    async def create(
        self,
        resource: Resource,
        obj: Manifest,
        namespace: str | None = None,
        *,
        name: str | None = None,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Create `obj`; its namespace is the argument's or its own. Raises AlreadyExists, Invalid.

        With `subresource` (a TokenRequest of a service account, say) `name` is the object it is created for.
        """
        path = resource.path(namespace or _namespace_of(resource, obj), name, subresource)
        body = obj if subresource is not None else _typed(resource, obj)
        return decode(await self._write("POST", path, body, params=_run(dry_run)))

    async def replace(
        self, resource: Resource, obj: Manifest, *, subresource: str | None = None, dry_run: bool = False
    ) -> Manifest:
        """PUT `obj` over the version it carries. Raises Conflict when that is not the latest."""
        path = _object_path(resource, obj, subresource)
        return decode(await self._write("PUT", path, _typed(resource, obj), params=_run(dry_run)))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
        dry_run: bool = False,
    ) -> None:
        """Delete the object, if it still has `uid` and `resource_version` (None: whatever it has).

        Raises NotFound, and Conflict when a precondition fails.
        """
        preconditions = _without_none({"uid": uid, "resourceVersion": resource_version})
        options = _without_none(
            {
                "preconditions": preconditions or None,
                "gracePeriodSeconds": grace_period_seconds,
                "propagationPolicy": propagation_policy,
                # here as well: an API server that is sent a body looks at no parameter, and would delete
                "dryRun": [*_DRY_RUN.values()] if dry_run else None,
            }
        )
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options} if options else None
        await self._write("DELETE", resource.path(namespace, name), body, params=_run(dry_run))

    async def evict(self, name: str, namespace: str, uid: str | None = None, *, dry_run: bool = False) -> None:
        """Ask for the pod's eviction (only while it has `uid`, when given).

        Raises TooManyRequests while a disruption budget forbids it, NotFound, Conflict on another uid.
        """
        eviction: Manifest = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        if uid is not None:
            eviction["deleteOptions"] = {"preconditions": {"uid": uid}}
        await self._write("POST", PODS.path(namespace, name, "eviction"), eviction, params=_run(dry_run))

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """RFC 6902. A failed `test` raises Invalid without causes."""
        path = resource.path(namespace, name, subresource)
        return decode(await self._write("PATCH", path, operations, JSON_PATCH, _run(dry_run)))

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Manifest,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """RFC 7386: None removes, lists are replaced whole. A resourceVersion in `patch` is a precondition."""
        path = resource.path(namespace, name, subresource)
        return decode(await self._write("PATCH", path, patch, MERGE_PATCH, _run(dry_run)))

    async def apply(
        self,
        resource: Resource,
        obj: Manifest,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Manifest:
        """Server-side apply: create or update the fields in `obj` and own them.

        Without `force` raises Conflict when another manager owns one; `obj` must not carry managedFields.
        """
        path = _object_path(resource, obj, subresource)
        params = {"fieldManager": field_manager, "force": "true" if force else "false", **_run(dry_run)}
        return decode(await self._write("PATCH", path, _typed(resource, obj), APPLY_PATCH, params))

    async def _write(
        self,
        method: str,
        path: str,
        body: Any,
        content_type: str = JSON,
        params: Mapping[str, str] = _NO_PARAMS,
    ) -> bytes:
        data = orjson.dumps(body) if body is not None else None
        return await self._sender.send(HttpRequest(method, path, params, data, content_type), self._check)


def _run(dry_run: bool) -> Mapping[str, str]:
    return _DRY_RUN if dry_run else _NO_PARAMS


def _namespace_of(resource: Resource, obj: Manifest) -> str | None:
    if not resource.namespaced:
        return None
    namespace: str | None = obj.get("metadata", {}).get("namespace")
    if not namespace:
        raise ValueError(f"namespace of {resource} {obj.get('metadata', {}).get('name')!r}: missing; give one")
    return namespace


def _object_path(resource: Resource, obj: Manifest, subresource: str | None) -> str:
    return resource.path(_namespace_of(resource, obj), obj["metadata"]["name"], subresource)


def _typed(resource: Resource, obj: Manifest) -> Manifest:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
