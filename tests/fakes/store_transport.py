"""What a Client has instead of HTTP when its API server is a FakeStore: requests in, decoded answers out.

One transport is one process: once it is `cut`, nothing of that process reaches the store, as after a kill.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from random import Random
from typing import Any, NamedTuple

import orjson

from controller.runtime.client.errors import NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.client.transport import Answer, Check, HttpRequest
from tests.fakes.api_server import initial_events_end
from tests.fakes.store import FakeStore
from tests.fakes.store_selection import selected
from tests.fakes.store_watch import Watch


class _Place(NamedTuple):
    """What a path names."""

    resource: Resource
    namespace: str | None
    name: str | None
    subresource: str | None


class StoreTransport:
    """Requests of the process `who`. `latency`: seconds that each may take to arrive, at random up to that."""

    def __init__(self, store: FakeStore, who: str, *, latency: float = 0.0, rng: Random | None = None) -> None:
        self.store = store
        self.who = who
        self._latency = latency
        self._rng = rng or Random(2)
        self._alive = asyncio.Event()
        self._alive.set()

    async def __aenter__(self) -> "StoreTransport":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        """The process is dead: no request of it arrives, and no answer reaches it."""
        self._alive.clear()

    def identify(self, fields: Sequence[tuple[str, str]]) -> None:
        """Everybody may do everything here."""

    async def send(self, request: HttpRequest, check: Check | None = None) -> Answer:
        """Perform the request. A process that was cut waits for ever, until it is cancelled."""
        await asyncio.sleep(self._rng.uniform(0.0, self._latency) if self._latency else 0)
        await self._alive.wait()
        if check is not None:
            check()
        status, body = self._perform(request)
        await self._alive.wait()  # the write itself may have been the last thing that the process did
        return Answer(status, orjson.dumps(body))

    async def stream(self, request: HttpRequest, begun: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
        """A watch, until its time is over."""
        await asyncio.sleep(0)
        await self._alive.wait()
        place, params = self._place(request.path), request.params
        matches = selected(place.namespace, params.get("labelSelector"), params.get("fieldSelector"))
        watch, after = Watch(place.resource, matches), int(params.get("resourceVersion") or 0)
        if params.get("sendInitialEvents") == "true":
            after = self.store.version
            for obj in self.store.list(place.resource):
                watch.take(None, obj)
            watch.send("BOOKMARK", initial_events_end(place.resource, after))
        self.store.watch(watch, after)
        begun(200)
        deadline = asyncio.get_running_loop().time() + float(params.get("timeoutSeconds", "60"))
        try:
            while lines := await watch.more(deadline):
                await self._alive.wait()
                yield lines
        finally:
            self.store.unwatch(watch)

    def _perform(self, request: HttpRequest) -> tuple[int, Any]:
        place = self._place(request.path)
        body = orjson.loads(request.body) if request.body else None
        if request.method == "GET":
            return 200, self._read(place, request)
        if request.method == "POST":
            return 201, self._post(place, body)
        assert place.name is not None
        if request.method == "DELETE":
            return 200, self._delete(place, place.name, body or {})
        written = self.store.write(
            place.resource,
            place.name,
            place.namespace or "",
            body,
            method=request.method,
            content_type=request.content_type,
            subresource=place.subresource,
            who=self.who,
        )
        return 200, written

    def _read(self, place: _Place, request: HttpRequest) -> Any:
        if place.name is not None:
            return self.store.get(place.resource, place.name, place.namespace or "")
        params = request.params
        items = self.store.list(
            place.resource, place.namespace, params.get("labelSelector"), params.get("fieldSelector")
        )
        metadata = {"resourceVersion": str(self.store.version)}
        return {"kind": f"{place.resource.kind}List", "metadata": metadata, "items": items}

    def _post(self, place: _Place, body: Any) -> Any:
        if place.subresource == "eviction" and place.name is not None:
            uid = ((body.get("deleteOptions") or {}).get("preconditions") or {}).get("uid")
            self.store.evict(place.name, place.namespace or "", uid=uid, who=self.who)
            return body
        if place.namespace is not None:
            body["metadata"]["namespace"] = place.namespace
        return self.store.create(place.resource, body, self.who)

    def _delete(self, place: _Place, name: str, options: Any) -> Any:
        preconditions = options.get("preconditions") or {}
        return self.store.delete(
            place.resource,
            name,
            place.namespace or "",
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
            grace=options.get("gracePeriodSeconds"),
            who=self.who,
        )

    def _place(self, path: str) -> _Place:
        for root, resource in self.store.resources.items():
            prefix, _, plural = root.rpartition("/")
            if not path.startswith(f"{prefix}/"):
                continue
            parts = path.removeprefix(f"{prefix}/").split("/")
            namespace = None
            if parts[0] == "namespaces" and len(parts) > 2 and resource.namespaced:
                namespace, parts = parts[1], parts[2:]
            if parts[0] == plural:
                name, subresource = [*parts[1:], None, None][:2]
                return _Place(resource, namespace, name, subresource)
        raise NotFound(404, "NotFound", f"{path} is not served")
