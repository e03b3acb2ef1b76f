"""The informer of a part of a collection, for API servers that may not know the field by which it is selected.

Fields of custom resources can be selected since Kubernetes 1.31, and where the installed definition says so: an agent
may be newer than either. Then all of the collection is followed, as before.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

import structlog

from controller.runtime.cache.informer import Informer
from controller.runtime.cache.object_type import T
from controller.runtime.cache.store import IndexFunction
from controller.runtime.client.client import Client, Selection
from controller.runtime.client.collection import DICT
from controller.runtime.client.errors import ApiError, BadRequest
from controller.runtime.client.resource import Resource
from controller.runtime.clock import Clock

#: Between two questions whether the field can be selected while nobody answers them, seconds.
ASK_AGAIN_SECONDS: Final = 1.0


class SelectedInformer(Informer[T]):
    """Follows what `field_selector` selects; all of the collection where the API server refuses it."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        field_selector: str,
        into: type[T] = DICT,
        project: Callable[[T], T] | None = None,
        indexes: Mapping[str, IndexFunction[T]] | None = None,
        clock: Clock,
        rng: Random | None = None,
    ) -> None:
        super().__init__(client, resource, into=into, project=project, indexes=indexes, clock=clock, rng=rng)
        self._client = client
        self._clock = clock
        self._wanted = Selection(field_selector=field_selector)

    async def run(self) -> None:
        """Find out what can be asked for, then fill the store and keep it current, until cancelled."""
        while (selectable := await self._selectable()) is None:
            await self._clock.sleep(ASK_AGAIN_SECONDS)
        if selectable:
            self.select(self._wanted)
        await super().run()

    async def _selectable(self) -> bool | None:
        """Whether the API server selects by the field; None while that is not known."""
        try:
            await self._client.list_page(self.resource, self._wanted, resource_version="0", limit=1)
        except BadRequest as error:
            structlog.get_logger(__name__).info(
                "field cannot be selected; following all", resource=str(self.resource), error=str(error)
            )
            return False
        except ApiError as error:
            self._reflector.last_error = error
            return None
        return True
