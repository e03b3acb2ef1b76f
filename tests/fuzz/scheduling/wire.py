"""The API server in memory, with the way to it: a request waits until the search lets it cross, and may get lost.

A reconcile is driven by hand, from one request to the next; whatever happens in between is for others.
"""

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, TypeAlias

from controller.runtime.client.core import PODS
from controller.runtime.client.errors import ApiError, TooManyRequests, Unavailable
from controller.runtime.client.resource import Resource
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi, Key, Object

OPERATOR = "operator"
OTHERS = "others"


class Fate(StrEnum):
    """What becomes of a request."""

    DONE = "done"
    LOST = "done, and the answer is lost"
    UNANSWERED = "nobody answers"


@dataclass(frozen=True, slots=True)
class Change:
    """One object of the API server before and after; None where it is not there. `plural`: its resource's."""

    plural: str
    before: Object | None
    after: Object | None
    who: str

    @property
    def key(self) -> str:
        """`namespace/name`, or `name`."""
        metadata = (self.after or self.before or {})["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


Call: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]
Heard: TypeAlias = Callable[[Change], None]


class Crossing:
    """A request on its way: awaited by a reconcile, and let through by `cross`."""

    def __init__(self, what: str, call: Call) -> None:
        self.what = what
        self._call = call
        self._answer: Any = None
        self._error: ApiError | None = None

    def __await__(self) -> Generator["Crossing", None, Any]:
        yield self
        if self._error is not None:
            raise self._error
        return self._answer

    def cross(self, fate: Fate) -> None:
        """Let it happen, or not; what the caller is told stands ready."""
        if fate is Fate.UNANSWERED:
            self._error = Unavailable(503, "Unavailable", "nobody answers")
            return
        try:
            self._call().send(None)
        except StopIteration as done:
            self._answer = done.value
        except ApiError as error:
            self._error = error
        if fate is Fate.LOST:
            self._error = Unavailable(503, "Unavailable", "the answer was lost")


class _Objects(dict[Key, Object]):
    """Tells of every change."""

    def __init__(self, heard: Callable[[str, Object | None, Object | None], None]) -> None:
        super().__init__()
        self._heard = heard

    def __setitem__(self, key: Key, obj: Object) -> None:
        before = self.get(key)
        super().__setitem__(key, obj)
        self._heard(key[0], before, obj)

    def __delitem__(self, key: Key) -> None:
        before = self[key]
        super().__delitem__(key)
        self._heard(key[0], before, None)


class Wire(InMemoryApi):
    """Stands where the Client does. `on_change` hears of every change; `refusing`: pods whose eviction is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.on_change: list[Heard] = []
        self.on_evict: Callable[[Object], None] = lambda _: None
        self.refusing: set[str] = set()
        self.crossed = 0
        self._who = OTHERS
        self.objects = _Objects(self._heard)

    def _heard(self, plural: str, before: Object | None, after: Object | None) -> None:
        change = Change(plural, before, after, self._who)
        for hear in self.on_change:
            hear(change)

    def find(self, resource: Resource, key: str) -> Object | None:
        """What is stored under `namespace/name` or `name`."""
        namespace, _, name = key.rpartition("/")
        return self.objects.get((resource.plural, namespace, name))

    def drop(self, resource: Resource, key: str) -> None:
        """Somebody else takes the object away, should it be there."""
        namespace, _, name = key.rpartition("/")
        if (resource.plural, namespace, name) in self.objects:
            del self.objects[resource.plural, namespace, name]

    async def _cross(self, verb: str, resource: Resource, call: Call) -> Any:
        return await Crossing(f"{verb} {resource.plural}", lambda: self._as_operator(call))

    async def _as_operator(self, call: Call) -> Any:
        self._who = OPERATOR
        self.crossed += 1
        try:
            return await call()
        finally:
            self._who = OTHERS

    async def get(self, resource: Resource, *args: Any, **kwargs: Any) -> Any:
        return await self._cross("get", resource, lambda: InMemoryApi.get(self, resource, *args, **kwargs))

    async def list(self, resource: Resource) -> Any:
        return await self._cross("list", resource, lambda: self._listed(resource))

    async def _listed(self, resource: Resource) -> SimpleNamespace:
        return SimpleNamespace(items=self.of(resource))

    async def create(self, resource: Resource, *args: Any, **kwargs: Any) -> Any:
        return await self._cross("create", resource, lambda: InMemoryApi.create(self, resource, *args, **kwargs))

    async def replace(self, resource: Resource, *args: Any, **kwargs: Any) -> Any:
        return await self._cross("replace", resource, lambda: InMemoryApi.replace(self, resource, *args, **kwargs))

    async def delete(self, resource: Resource, *args: Any, **kwargs: Any) -> Any:
        return await self._cross("delete", resource, lambda: InMemoryApi.delete(self, resource, *args, **kwargs))

    async def json_patch(self, resource: Resource, *args: Any, **kwargs: Any) -> Any:
        return await self._cross("patch", resource, lambda: InMemoryApi.json_patch(self, resource, *args, **kwargs))

    async def merge_patch(self, resource: Resource, *args: Any, **kwargs: Any) -> Any:
        return await self._cross("patch", resource, lambda: InMemoryApi.merge_patch(self, resource, *args, **kwargs))

    async def evict(self, name: str, namespace: str, uid: str | None = None) -> None:
        await self._cross("evict", PODS, lambda: self._evicted(name, namespace, uid))

    async def _evicted(self, name: str, namespace: str, uid: str | None) -> None:
        present = self.objects.get(("pods", namespace, name))
        if present is not None and uid in (None, present["metadata"]["uid"]):
            if name in self.refusing:
                raise TooManyRequests(429, "TooManyRequests", "a disruption budget refuses it")
            self.on_evict(present)
        await super().evict(name, namespace, uid)
