"""GPUNodes and claims as long as `aim-gpu top` is looked at, kept current by watches."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel

from api.v1beta1 import GPUNode, GPUPartitionClaim
from controller.cli.namespaces import require_namespace
from controller.cli.top_fleet import Fleet
from controller.cli.top_read import Wanted, fleet_with
from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.cache.reflection import Phase
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.errors import ApiError, Forbidden, Timeout
from controller.runtime.client.resource import Resource
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS

#: Longest that the first list may take, seconds.
LIST_SECONDS: Final = 60.0
BEHIND: Final = "the API server does not tell of changes at the moment: what was known last is shown"

T = TypeVar("T", bound=BaseModel)


class _Models(Generic[T]):
    """Objects of an informer as models, each read once a change."""

    def __init__(self, model: type[T]) -> None:
        self._model = model
        self._found: dict[str, T] = {}

    def take(self, event: StoreEvent[dict[str, Any]]) -> None:
        if event.type is EventType.DELETED:
            self._found.pop(event.key, None)
        elif event.new is not None and not event.unchanged:
            self._found[event.key] = self._model.model_validate(event.new)

    def all(self) -> Sequence[T]:
        return list(self._found.values())


class Watched:
    """The fleet, kept current by watches. See `watch`."""

    def __init__(self, client: Client, wanted: Wanted, informers: Sequence[Informer[Any]]) -> None:
        self._client = client
        self._wanted = wanted
        self._informers = informers
        self._nodes = _Models(GPUNode)
        self._claims = _Models(GPUPartitionClaim)
        informers[0].add_handler(self._nodes.take)
        for informer in informers[1:]:
            informer.add_handler(self._claims.take)

    async def now(self) -> Fleet:
        """The fleet as it is known at this moment; only a Prometheus is asked."""
        claims = self._claims.all() if len(self._informers) > 1 else None
        fleet = await fleet_with(self._client, self._wanted, self._nodes.all(), claims)
        behind = [each for each in self._informers if each.statistics().reflection.phase is not Phase.WATCHING]
        return replace(fleet, notes=(*fleet.notes, BEHIND)) if behind else fleet


async def watch(client: Client, wanted: Wanted, show: Callable[[Watched], Awaitable[None]]) -> None:
    """Watch GPUNodes and, for who may, claims, as long as `show` goes on.

    Raises NoNamespace, the client's errors, Timeout where a list takes too long, and what `show` raises of these.
    """
    await client.list_page(GPU_NODES, Selection(), limit=1)  # an informer would try what is forbidden for ever
    await require_namespace(client, wanted.namespace)
    informers: list[Informer[Any]] = [Informer(client, GPU_NODES)]
    if await _may_list(client, GPU_PARTITION_CLAIMS, wanted.namespace):
        informers.append(Informer(client, GPU_PARTITION_CLAIMS, namespace=wanted.namespace))
    shown = Watched(client, wanted, informers)
    failure: ApiError | None = None
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(informer.run()) for informer in informers]
        try:
            for informer in informers:
                await informer.wait_synced(LIST_SECONDS)
            await show(shown)
        except CacheNotSynced as error:
            failure = Timeout(0, "NotListed", str(error))
        except ApiError as error:
            failure = error
        finally:
            for task in running:
                task.cancel()
    if failure is not None:
        raise failure


async def _may_list(client: Client, resource: Resource, namespace: str | None) -> bool:
    try:
        await client.list_page(resource, Selection(namespace), limit=1)
    except Forbidden:
        return False
    return True
