"""A small API server in this process: collections with list, watch and writes, and faults on demand.

It keeps what a client's machinery depends on (resourceVersions, paging, watch events, streaming lists, 404, 409 and 410)
and nothing of validation, defaulting or admission: those belong to the real control plane.

    async with FakeApiServer() as api:
        api.put(PODS, {"metadata": {"namespace": "default", "name": "web-0"}})
        api.play(faults.html(502), on="watch")      # the next watch gets this, later ones work
        client = Client(ClientConfiguration(server=api.url))
"""

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Literal
from uuid import uuid4

import orjson
from aiohttp import web

from controller.runtime.client.resource import Resource
from controller.runtime.manifest import Manifest, key_of
from tests.builders.json_patch import PatchFailed
from tests.fakes.writes import APPLY_PATCH, written

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Occasion = Literal["list", "watch", "stream", "GET", "POST", "PUT", "PATCH", "apply", "DELETE", "any"]


@dataclass(frozen=True)
class Seen:
    """One request as it came; `occasion` is "list" or "watch" for those, else the method.

    A streaming list is a watch (that begins with what is there): it counts as "watch" and as "stream". `at`: seconds,
    of the event loop's time.
    """

    occasion: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float

    def was(self, occasion: str) -> bool:
        """Whether the request was of that sort: "apply" is a PATCH by server-side apply."""
        if occasion == "apply":
            return self.headers.get("Content-Type") == APPLY_PATCH
        return occasion == self.occasion or (occasion == "stream" and "sendInitialEvents" in self.query)


@dataclass(frozen=True)
class Change:
    """One entry of a collection's history."""

    version: int
    type: str
    object: Manifest


class Collection:
    """The objects of one resource and their history since the last compaction. A new `generation` ends its watches."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.objects: dict[str, Manifest] = {}
        self.history: list[Change] = []
        self.oldest = 0
        self.changed = asyncio.Event()
        self.generation = 0


class FakeApiServer:
    """Serves on a free port of 127.0.0.1. An async context manager.

    `streaming_lists` False: refuses them as servers do that have not got them. `tls`: https with this context; what
    it loads later is shown to connections that are opened later. `latency`: seconds that each answer takes to begin.
    `token`: the only one that is accepted, None for any and none.
    """

    def __init__(self, *, streaming_lists: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._tls = tls
        self.streaming_lists = streaming_lists
        self.seen: list[Seen] = []
        self.latency = 0.0
        self.token: str | None = None
        self._version = 100
        self._collections: dict[str, Collection] = {}
        self._faults: dict[str, deque[Answer]] = defaultdict(deque)
        self._runner: web.AppRunner | None = None
        self._listens = False

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> "FakeApiServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, after `stop` on the same port as before."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._listens = True

    async def stop(self) -> None:
        """Close all connections and refuse new ones; the objects stay."""
        self._listens = False
        for collection in self._collections.values():
            collection.changed.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def serve(self, resource: Resource) -> Collection:
        """Know `resource`; others are 404."""
        return self._collections.setdefault(resource.path(), Collection(resource))

    def put(self, resource: Resource, obj: Manifest) -> Manifest:
        """Create or change an object as somebody else would; its stored form."""
        collection = self.serve(resource)
        held = collection.objects.get(key_of(obj))
        uid = held["metadata"]["uid"] if held else obj["metadata"].get("uid") or str(uuid4())
        return self._store(collection, obj, uid, "MODIFIED" if held else "ADDED")

    def remove(self, resource: Resource, key: str) -> None:
        """Delete an object as somebody else would."""
        collection = self.serve(resource)
        gone = collection.objects.pop(key)
        self._version += 1
        last = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self._version)}}
        self._tell(collection, Change(self._version, "DELETED", last))

    def hang_up(self, resource: Resource) -> None:
        """End the open watches of the collection in order, as a server does after their time."""
        collection = self.serve(resource)
        collection.generation += 1
        collection.changed.set()

    def compact(self, resource: Resource) -> None:
        """Forget the history: watches from before now are 410."""
        collection = self.serve(resource)
        self._version += 1
        collection.history.clear()
        collection.oldest = self._version

    def rewind(self, version: int) -> None:
        """Count resourceVersions from `version` on and know no history, as after a restored backup."""
        self._version = version
        for collection in self._collections.values():
            collection.history.clear()
            collection.oldest = 0

    def objects(self, resource: Resource) -> dict[str, Manifest]:
        """The stored objects by key."""
        return self.serve(resource).objects

    def play(self, *answers: Answer, on: Occasion = "any") -> None:
        """Give these answers, in order, to the next requests of that sort."""
        self._faults[on].extend(answers)

    def heal(self) -> None:
        """Play nothing that was not played yet."""
        self._faults.clear()

    def count(self, occasion: str) -> int:
        """How many requests of that sort came."""
        return sum(seen.was(occasion) for seen in self.seen)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        occasion, body, at = self._occasion(request), await request.read(), asyncio.get_running_loop().time()
        seen = Seen(occasion, request.method, request.path, dict(request.query), dict(request.headers), body, at)
        self.seen.append(seen)
        if self.latency:
            await asyncio.sleep(self.latency)
        for sort, queue in self._faults.items():
            if queue and (sort == "any" or seen.was(sort)):
                return await queue.popleft()(request)
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized", "Unauthorized")
        return await self.perform(request)

    async def perform(self, request: web.Request) -> web.StreamResponse:
        """Answer as a server without faults does."""
        collection, namespace, name, subresource = self._route(request.path)
        occasion, body = self._occasion(request), await request.read()
        if collection is None:
            return status(404, "NotFound", f"{request.path} is not served")
        if occasion == "watch":
            return await self._watch(request, collection, namespace)
        if occasion == "list":
            return self._list(request, collection, namespace)
        key = f"{namespace}/{name}" if namespace else name
        if request.method == "POST":
            return self._create(collection, orjson.loads(body), namespace, subresource)
        return self._write(request, collection, key, subresource, orjson.loads(body) if body else None)

    def _occasion(self, request: web.Request) -> str:
        _, _, name, _ = self._route(request.path)
        if request.method == "GET" and name is None:
            return "watch" if request.query.get("watch") else "list"
        return request.method

    def _route(self, path: str) -> tuple[Collection | None, str | None, str | None, str | None]:
        for collection in self._collections.values():
            root, _, plural = collection.resource.path().rpartition("/")
            if not path.startswith(root + "/"):
                continue
            parts = path.removeprefix(root + "/").split("/")
            namespace = None
            if parts[0] == "namespaces" and len(parts) > 2:
                namespace, parts = parts[1], parts[2:]
            if parts[0] == plural:
                name, subresource = [*parts[1:], None, None][:2]
                return collection, namespace, name, subresource
        return None, None, None, None

    def _list(self, request: web.Request, collection: Collection, namespace: str | None) -> web.Response:
        items = [obj for obj in collection.objects.values() if _in(obj, namespace)]
        start, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "0"))
        metadata: dict[str, Any] = {"resourceVersion": str(self._version)}
        end = len(items)
        if limit and start + limit < len(items):
            end = start + limit
            metadata["continue"] = str(end)
        bare = [{key: value for key, value in item.items() if key not in {"apiVersion", "kind"}} for item in items]
        return _json({"kind": f"{collection.resource.kind}List", "metadata": metadata, "items": bare[start:end]})

    async def _watch(self, request: web.Request, collection: Collection, namespace: str | None) -> web.StreamResponse:
        after = int(request.query.get("resourceVersion") or "0")
        initial = request.query.get("sendInitialEvents") == "true"
        if "resourceVersionMatch" in request.query and not (initial and self.streaming_lists):
            return status(422, "Invalid", "resourceVersionMatch: Forbidden: is forbidden for watch")
        if initial and request.query.get("resourceVersionMatch") != "NotOlderThan":
            return status(422, "Invalid", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        if after < collection.oldest and not initial:
            return status(410, "Expired", f"too old resource version: {after}")
        if after > self._version:
            return too_large(after)
        stream = await open_stream(request)
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", "60"))):
                if initial:
                    after = await self._send_initial(stream, collection, namespace)
                await self._follow(stream, collection, namespace, after)
        except TimeoutError:
            pass
        return stream

    async def _send_initial(self, stream: web.StreamResponse, collection: Collection, namespace: str | None) -> int:
        """What is there, in no order, and the bookmark that says so; the version that this was."""
        version, held = self._version, [obj for obj in collection.objects.values() if _in(obj, namespace)]
        Random(version).shuffle(held)
        for obj in held:
            await send_event(stream, "ADDED", obj)
        await send_event(stream, "BOOKMARK", initial_events_end(collection.resource, version))
        return version

    async def _follow(
        self, stream: web.StreamResponse, collection: Collection, namespace: str | None, after: int
    ) -> None:
        generation = collection.generation
        while self._listens and generation == collection.generation:
            # Before anything is sent: what changes while it is sent must find an event to set.
            changed = collection.changed = asyncio.Event() if collection.changed.is_set() else collection.changed
            for change in [change for change in collection.history if change.version > after]:
                after = change.version
                if _in(change.object, namespace):
                    await send_event(stream, change.type, change.object)
            await changed.wait()

    def _write(
        self, request: web.Request, collection: Collection, key: str | None, subresource: str | None, sent: Any
    ) -> web.Response:
        held = collection.objects.get(key or "")
        if held is None:
            if request.content_type == APPLY_PATCH:
                return _json(self._store(collection, sent, str(uuid4()), "ADDED"), 201)
            return status(404, "NotFound", f"{collection.resource} {key!r} not found")
        if request.method == "GET":
            return _json(held)
        if request.method == "DELETE":
            self.remove(collection.resource, key_of(held))
            return _json(held)
        try:
            after = written(request.method, request.content_type, subresource, held, sent)
        except PatchFailed as error:
            return status(422, "Invalid", str(error))
        if after["metadata"].get("resourceVersion", _version(held)) != _version(held):
            return status(409, "Conflict", "the object has been modified")
        if same(after, held):
            return _json(held)
        return _json(self._store(collection, after, held["metadata"]["uid"], "MODIFIED"))

    def _create(
        self, collection: Collection, obj: Manifest, namespace: str | None, subresource: str | None
    ) -> web.Response:
        if subresource is not None:
            return _json(obj, 201)
        if namespace is not None:
            obj["metadata"].setdefault("namespace", namespace)
        prefix = obj["metadata"].get("generateName")
        if prefix and not obj["metadata"].get("name"):
            obj["metadata"]["name"] = f"{prefix}{uuid4().hex[:5]}"
        if key_of(obj) in collection.objects:
            return status(409, "AlreadyExists", f"{key_of(obj)} already exists")
        return _json(self._store(collection, obj, str(uuid4()), "ADDED"), 201)

    def _store(self, collection: Collection, obj: Manifest, uid: str, kind: str) -> Manifest:
        self._version += 1
        metadata = {**obj["metadata"], "uid": uid, "resourceVersion": str(self._version)}
        resource = collection.resource
        stored = {"apiVersion": resource.api_version, "kind": resource.kind, **obj, "metadata": metadata}
        collection.objects[key_of(stored)] = stored
        self._tell(collection, Change(self._version, kind, stored))
        return stored

    def _tell(self, collection: Collection, change: Change) -> None:
        collection.history.append(change)
        collection.changed.set()


def status(code: int, reason: str, message: str, **more: Any) -> web.Response:
    """A Status answer. `details` may be given; `headers` are HTTP's."""
    headers = more.pop("headers", None)
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        **more,
    }
    return _json(body, code, headers)


def too_large(version: int) -> web.Response:
    """What a server says of a version in its future."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return status(504, "Timeout", f"Too large resource version: {version}", details={"causes": causes})


def initial_events_end(resource: Resource, version: int) -> Manifest:
    """The bookmark after a streaming list's initial events."""
    annotations = {"k8s.io/initial-events-end": "true"}
    metadata = {"resourceVersion": str(version), "creationTimestamp": None, "annotations": annotations}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


async def open_stream(request: web.Request) -> web.StreamResponse:
    """Begin a chunked answer."""
    stream = web.StreamResponse(headers={"Content-Type": "application/json"})
    stream.enable_chunked_encoding()
    await stream.prepare(request)
    return stream


async def send_event(stream: web.StreamResponse, kind: str, obj: Manifest) -> None:
    """One watch event as a line."""
    await stream.write(orjson.dumps({"type": kind, "object": obj}) + b"\n")


def same(after: Manifest, held: Manifest) -> bool:
    """Whether a write changes nothing: then nothing is stored, and no event tells of it."""
    identity = {"uid": held["metadata"]["uid"], "resourceVersion": _version(held)}
    typed = {"apiVersion": held["apiVersion"], "kind": held["kind"]}
    return {**typed, **after, "metadata": {**after["metadata"], **identity}} == held


def _json(body: Any, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=code, headers=headers, content_type="application/json")


def _in(obj: Manifest, namespace: str | None) -> bool:
    return namespace is None or obj["metadata"].get("namespace") == namespace


def _version(obj: Manifest) -> str:
    version: str = obj["metadata"]["resourceVersion"]
    return version
