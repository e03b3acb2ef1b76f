"""An API server in memory, as much of it as the reconcilers use: versions, preconditions, patches, faults."""

import copy
from collections.abc import Callable
from typing import Any

from controller.binding.dra import FINALIZER
from controller.runtime.client.core import PODS
from controller.runtime.client.errors import AlreadyExists, ApiError, Cause, Conflict, Invalid, NotFound, Unavailable
from controller.runtime.client.resource import Resource
from controller.runtime.objects.conversion import typed
from tests.builders.json_patch import PatchFailed, apply_patch
from tests.fakes.writes import merged

Object = dict[str, Any]
Key = tuple[str, str, str]


class InMemoryApi:
    """Stands where the Client does. Each write is one entry of `writes`; `before_write` may raise in its place.

    `lost_answer` names the number of a write that is done, and whose answer is lost.
    """

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.writes: list[str] = []
        self.before_write: Callable[[str], None] = lambda _: None
        self.lost_answer: int | None = None
        self._version = 100

    def put(self, resource: Resource, obj: Object) -> Object:
        """Store `obj` as somebody else would, with a new version."""
        metadata = obj["metadata"]
        self._version += 1
        stored = copy.deepcopy(obj) | {"metadata": {**metadata, "resourceVersion": str(self._version)}}
        self.objects[resource.plural, metadata.get("namespace") or "", metadata["name"]] = stored
        return stored

    def of(self, resource: Resource) -> list[Object]:
        """Every stored object of one kind."""
        return [obj for (plural, _, _), obj in self.objects.items() if plural == resource.plural]

    async def get(self, resource: Resource, name: str, namespace: str | None = None, *, into: type[Any] = dict) -> Any:
        found = self._found(resource, name, namespace)
        return copy.deepcopy(found) if into is dict else typed(found, into)

    async def create(
        self, resource: Resource, obj: Object, namespace: str | None = None, *, dry_run: bool = False
    ) -> Object:
        metadata = obj["metadata"]
        verb = self._begin("try" if dry_run else "create", resource)
        if dry_run:
            return self._done(verb, copy.deepcopy(obj))
        if (resource.plural, metadata.get("namespace") or "", metadata["name"]) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", metadata["name"])
        stored = self.put(
            resource, obj | {"metadata": {"uid": f"made-{len(self.writes)}", "generation": 1, **metadata}}
        )
        return self._done(verb, stored)

    async def replace(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        verb = self._begin("replace", resource)
        metadata = obj["metadata"]
        present = self._found(resource, metadata["name"], metadata.get("namespace"))
        if present["metadata"]["resourceVersion"] != metadata.get("resourceVersion"):
            raise Conflict(409, "Conflict", "the object has been modified")
        wanted = {**present, "status": obj["status"]} if subresource == "status" else obj
        return self._done(verb, self.put(resource, wanted))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        verb = self._begin("delete", resource)
        metadata = self._found(resource, name, namespace)["metadata"]
        if uid not in (None, metadata["uid"]) or resource_version not in (None, metadata["resourceVersion"]):
            raise Conflict(409, "Conflict", "precondition failed")
        # Kubernetes' controller takes its own off a claim that no pod has reserved, as soon as it sees it
        if set(metadata.get("finalizers") or ()) - {FINALIZER}:
            present = self._found(resource, name, namespace)
            self.put(resource, present | {"metadata": {**metadata, "deletionTimestamp": "2026-01-01T00:00:00Z"}})
        else:
            del self.objects[resource.plural, namespace or "", name]
        self._done(verb, {})

    async def evict(self, name: str, namespace: str, uid: str | None = None) -> None:
        verb = self._begin("evict", PODS)
        present = self._found(PODS, name, namespace)
        if uid not in (None, present["metadata"]["uid"]):
            raise Conflict(409, "Conflict", "precondition failed")
        metadata = {**present["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        self._done(verb, self.put(PODS, {**present, "metadata": metadata}))

    async def json_patch(
        self, resource: Resource, name: str, operations: list[dict[str, Any]], namespace: str | None = None
    ) -> Object:
        verb = self._begin("patch", resource)
        present = self._found(resource, name, namespace)
        try:
            patched = self.put(resource, apply_patch(present, operations))
        except PatchFailed as error:
            raise Invalid(422, "Invalid", str(error)) from error
        if patched["metadata"].get("deletionTimestamp") and not patched["metadata"].get("finalizers"):
            del self.objects[resource.plural, namespace or "", name]
        return self._done(verb, patched)

    async def merge_patch(self, resource: Resource, name: str, patch: Object, namespace: str | None = None) -> Object:
        verb = self._begin("patch", resource)
        present = self._found(resource, name, namespace)
        if patch.get("metadata", {}).get("resourceVersion") not in (None, present["metadata"]["resourceVersion"]):
            raise Conflict(409, "Conflict", "the object has been modified")
        return self._done(verb, self.put(resource, merged(present, patch)))

    def _found(self, resource: Resource, name: str, namespace: str | None) -> Object:
        try:
            return self.objects[resource.plural, namespace or "", name]
        except KeyError:
            raise NotFound(404, "NotFound", f"{resource.plural} {namespace}/{name}") from None

    def _begin(self, verb: str, resource: Resource) -> str:
        text = f"{verb} {resource.plural}"
        self.before_write(text)
        return text

    def _done(self, verb: str, answer: Object) -> Object:
        self.writes.append(verb)
        if self.lost_answer == len(self.writes):
            raise Unavailable(503, "Unavailable", "the answer was lost")
        return copy.deepcopy(answer)


def refusing(verb: str, error: ApiError, times: int = 1) -> Callable[[str], None]:
    """A `before_write` that raises `error` at the first `times` writes of that sort."""
    left = [times]

    def check(text: str) -> None:
        if text == verb and left[0] > 0:
            left[0] -= 1
            raise error

    return check


NOT_ANSWERED = Unavailable(503, "Unavailable", "nobody answers")
REFUSED_BY_VALIDATION = Invalid(422, "Invalid", "no", (Cause("spec.nodeSelector", "FieldValueForbidden", "no"),))
MOVED_ON = Invalid(422, "Invalid", "the test operation failed")
