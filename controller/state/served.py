"""The informer of a kind that an API server may not have: resource.k8s.io/v1 came with Kubernetes 1.34."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random

from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.cache.messages import Replaced
from controller.runtime.cache.object_type import T
from controller.runtime.cache.store import IndexFunction
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.collection import DICT
from controller.runtime.client.errors import ApiError, NotFound
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock
from controller.runtime.logger import Logger

#: Between two looks whether the kind is served by now, seconds.
LOOK_SECONDS = 30.0
#: While the API server has not said yet whether it is, seconds.
LOOK_AGAIN_SECONDS = 1.0


class ServedInformer(Informer[T]):
    """An informer whose collection is empty, and in sync, for as long as the API server does not serve the kind.

    `served` is None until the API server has answered once. It looks again every 30 s and from the first time that the
    kind is served it is an informer like any other.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        into: type[T] = DICT,
        label_selector: str | None = None,
        project: Callable[[T], T] | None = None,
        indexes: Mapping[str, IndexFunction[T]] | None = None,
        clock: Clock,
        rng: Random | None = None,
    ) -> None:
        super().__init__(
            client,
            resource,
            into=into,
            label_selector=label_selector,
            project=project,
            indexes=indexes,
            clock=clock,
            rng=rng,
        )
        self._client = client
        self._clock = clock
        self._last_error: ApiError | None = None
        self._answered = asyncio.Event()
        self.served: bool | None = None

    async def run(self) -> None:
        """Wait until the kind is served, then fill the store and keep it current, until cancelled."""
        while not await self._look():
            await self._clock.sleep(LOOK_AGAIN_SECONDS if self.served is None else LOOK_SECONDS)
        await super().run()

    async def wait_synced(self, timeout: float) -> None:
        """Wait for the first look and, where the kind is served, its first list. Raises CacheNotSynced."""
        try:
            async with asyncio.timeout(timeout):
                await self._answered.wait()
        except TimeoutError as error:
            raise CacheNotSynced(
                f"{self.resource}: not known within {timeout} s whether it is served; last error: {self._last_error}"
            ) from error
        await super().wait_synced(timeout)

    async def refresh(self, timeout: float) -> None:
        """As an informer's; there is nothing to read anew while the kind is not served."""
        if self.served is not False:
            await super().refresh(timeout)

    async def _look(self) -> bool:
        try:
            await self._client.list_page(self.resource, Selection(), limit=1)
        except NotFound:
            self._found(served=False)
        except ApiError as error:
            self._last_error = error
        else:
            self._found(served=True)
        return self.served is True

    def _found(self, *, served: bool) -> None:
        if self.served is not served:
            log = Logger(__name__)
            log.info("kind is served" if served else "kind is not served", resource=str(self.resource))
        self.served = served
        self._answered.set()
        if not served and not self.synced:
            self._take(Replaced([]))
