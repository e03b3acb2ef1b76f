"""The client: verbs of the Kubernetes API over the transport, with credentials, retries and paging.

Objects go in and come out as dicts; nothing here changes one that was passed in.
"""

import builtins
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
from opentelemetry.metrics import Meter

from controller.runtime.client.collection import DICT, ListPage, ObjectList, Selection, T
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import PODS
from controller.runtime.client.credentials import credentials_of
from controller.runtime.client.decoding import decode, decode_event, decode_into, decode_list
from controller.runtime.client.errors import ApiError, Gone, Unauthorized
from controller.runtime.client.framing import LineFramer
from controller.runtime.client.request_metrics import RequestMetrics
from controller.runtime.client.resource import Resource
from controller.runtime.client.retry import retrying, worth_repeating
from controller.runtime.client.transport import HttpRequest, Transport
from controller.runtime.clock import Clock, RealClock
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import PartialObject

__all__ = ["Client", "ListPage", "ObjectList", "Selection"]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

# Added to the server's own end of a watch: a stream that outlives it hangs on a half-open socket.
_IDLE_GUARD_SECONDS = 5.0
_LIST_TIMEOUT_SECONDS = 60.0


class Client:
    """Talks to one API server. An async context manager; safe for any number of tasks of one event loop.

    `base_url` replaces the configuration's server (a recording proxy in tests). `max_connections` bounds requests
    under way; watches are not counted. Reads are repeated when nobody answered, everything is on a 429 (see
    `retry.py`); a 401 is repeated once with a new token.
    """

    def __init__(
        self,
        configuration: ClientConfiguration,
        *,
        base_url: str | None = None,
        clock: Clock | None = None,
        user_agent: str = "aim-gpu-sharing",
        max_connections: int = 64,
        meter: Meter | None = None,
    ) -> None:
        if base_url is not None:
            configuration = replace(configuration, server=base_url)
        self.configuration = configuration
        self._clock = clock or RealClock()
        self._credentials = credentials_of(configuration, self._clock)
        self._transport = Transport(configuration, user_agent=user_agent, max_connections=max_connections)
        self._metrics = RequestMetrics(meter, configuration.server)

    async def __aenter__(self) -> "Client":
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def get(self, resource: Resource, name: str, namespace: str | None = None, *, into: type[T] = DICT) -> T:
        """One object. Raises NotFound."""
        return decode_into(await self.request("GET", resource.path(namespace, name)), into)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        resource_version: str | None = None,
        limit: int = 500,
        into: type[T] = DICT,
    ) -> ObjectList[T]:
        """The whole collection, fetched in pages of `limit` (0: in one).

        `resource_version` None reads the latest state, "0" whatever the server has at hand. When the server
        forgets the pages' version half way, the list starts again once; then Gone is raised.
        """
        selection = Selection(namespace, label_selector, field_selector)
        try:
            return await self._all_pages(resource, selection, resource_version, limit, into)
        except Gone:
            return await self._all_pages(resource, selection, None, limit, into)

    async def list_page(
        self,
        resource: Resource,
        selection: Selection,
        *,
        resource_version: str | None = None,
        limit: int = 500,
        continue_token: str | None = None,
        into: type[T] = DICT,
    ) -> ListPage[T]:
        """One page. With a `continue_token` the version is the first page's. Raises Gone when it is too old."""
        params = selection.params()
        if limit:
            params["limit"] = str(limit)
        if continue_token:
            params["continue"] = continue_token
        elif resource_version:
            params["resourceVersion"] = resource_version
            params["resourceVersionMatch"] = "NotOlderThan"
        path = resource.path(selection.namespace)
        return decode_list(
            await self.request("GET", path, params=params, timeout=_LIST_TIMEOUT_SECONDS), resource, into
        )

    async def create(
        self, resource: Resource, obj: Manifest, namespace: str | None = None, *, dry_run: bool = False
    ) -> Manifest:
        """Create `obj`; its namespace is the argument's or its own. Raises AlreadyExists, Invalid."""
        path = resource.path(namespace or _namespace_of(resource, obj))
        params = {"dryRun": "All"} if dry_run else None
        return decode(await self.request("POST", path, params=params, body=_typed(resource, obj)))

    async def replace(self, resource: Resource, obj: Manifest, *, subresource: str | None = None) -> Manifest:
        """PUT `obj` over the version it carries. Raises Conflict when that is not the latest."""
        path = _object_path(resource, obj, subresource)
        return decode(await self.request("PUT", path, body=_typed(resource, obj)))

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
            }
        )
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options} if options else None
        await self.request("DELETE", resource.path(namespace, name), body=body)

    async def evict(self, name: str, namespace: str, uid: str | None = None) -> None:
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
        await self.request("POST", PODS.path(namespace, name, "eviction"), body=eviction)

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> Manifest:
        """RFC 6902. A failed `test` raises Invalid without causes."""
        path = resource.path(namespace, name, subresource)
        return decode(await self.request("PATCH", path, body=operations, content_type=JSON_PATCH))

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Manifest,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> Manifest:
        """RFC 7386: None removes, lists are replaced whole. A resourceVersion in `patch` is a precondition."""
        path = resource.path(namespace, name, subresource)
        return decode(await self.request("PATCH", path, body=patch, content_type=MERGE_PATCH))

    async def apply(
        self,
        resource: Resource,
        obj: Manifest,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> Manifest:
        """Server-side apply: create or update the fields in `obj` and own them.

        Without `force` raises Conflict when another manager owns one; `obj` must not carry managedFields.
        """
        path = _object_path(resource, obj, subresource)
        params = {"fieldManager": field_manager, "force": "true" if force else "false"}
        body = _typed(resource, obj)
        return decode(await self.request("PATCH", path, params=params, body=body, content_type=APPLY_PATCH))

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str | None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int = 300,
        initial_events: bool = False,
        into: type[T] = DICT,
    ) -> AsyncGenerator[tuple[str, T | PartialObject], None]:
        """Events (type, object) after `resource_version`, bookmarks among them, until the server ends the watch.

        With `initial_events` an ADDED for each object that is there comes first, in no order, and then a bookmark
        annotated `k8s.io/initial-events-end`; the state is at least as new as `resource_version` (None: the latest).
        A BOOKMARK's object is a PartialObject when `into` is a Struct.

        The server is asked to end after `timeout_seconds`; 5 s later we do (Timeout). An ERROR event raises its
        type (Gone when the version is too old), a line that is no event Unavailable. Close the iterator when you
        leave early (`contextlib.aclosing`).
        """
        params = {
            **Selection(namespace, label_selector, field_selector).params(),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout_seconds),
        }
        if resource_version is not None:
            params["resourceVersion"] = resource_version
        if initial_events:
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        request = HttpRequest(
            "GET",
            resource.path(namespace),
            params,
            await self._headers(None),
            timeout=timeout_seconds + _IDLE_GUARD_SECONDS,
        )
        framer = LineFramer()
        try:
            async with aclosing(self._transport.stream(request)) as chunks:
                async for chunk in chunks:
                    for line in framer.feed(chunk):
                        yield decode_event(line, into)
        except Unauthorized:
            self._credentials.refused()
            raise

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
        timeout: float = 30.0,
    ) -> bytes:
        """Any request: `body` is bytes, or anything JSON. The answer's body; raises ApiError's tree.

        `timeout`: seconds for each attempt. Cancelling it leaves open whether a write happened.
        """
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        kind = (content_type or JSON) if data is not None else None
        request = HttpRequest(method, path, params or {}, await self._headers(kind), data, timeout)
        try:
            return await self._attempt(request)
        except ApiError as error:
            if not worth_repeating(method, error):
                raise
            return await self._repeat(request, error)

    async def _repeat(self, request: HttpRequest, first: ApiError) -> bytes:
        # The retry loop is entered only after a failure: it costs more than a small request's own work.
        failed: ApiError | None = first

        async def attempt() -> bytes:
            nonlocal failed
            if failed is not None:
                error, failed = failed, None
                raise error
            return await self._attempt(request)

        return await retrying(request.method, self._clock)(attempt)

    async def _attempt(self, request: HttpRequest) -> bytes:
        started = self._clock.monotonic()
        code = 200
        try:
            return await self._send_authorised(request)
        except ApiError as error:
            code = error.status
            raise
        finally:
            self._metrics.observe(request.method, code, self._clock.monotonic() - started)

    async def _send_authorised(self, request: HttpRequest) -> bytes:
        try:
            return await self._transport.send(request)
        except Unauthorized:
            if not self._credentials.refused():
                raise
        kind = request.headers.get("Content-Type")
        return await self._transport.send(replace(request, headers=await self._headers(kind)))

    async def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {"Content-Type": content_type} if content_type else {}
        if token := await self._credentials.token():
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def _all_pages(
        self, resource: Resource, selection: Selection, resource_version: str | None, limit: int, into: type[T]
    ) -> ObjectList[T]:
        items: builtins.list[T] = []
        token: str | None = None
        while True:
            page = await self.list_page(
                resource, selection, resource_version=resource_version, limit=limit, continue_token=token, into=into
            )
            items.extend(page.items)
            token = page.continue_token
            if token is None:
                return ObjectList(items, page.resource_version)


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
