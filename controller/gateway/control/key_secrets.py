"""The Secrets of API keys, followed in the namespaces that the administrator listed.

A namespace may be listed before RBAC lets its Secret be read: it has no keys until then, and keeps nobody else's out.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog

from controller.gateway.control.keys import KEYS_SECRET, Key, keys_of
from controller.gateway.control.objects import KeySecret
from controller.runtime.cache.informer import CacheNotSynced, Informer
from controller.runtime.client.client import Client
from controller.runtime.client.core import SECRETS
from controller.runtime.clock import Clock

EVERY_NAMESPACE: Final = "*"

FIRST_READ_SECONDS: Final = 5.0
"""How long a start waits for the Secrets of all namespaces."""


class KeySecrets:
    """Follows a Secret of a fixed name in each of `namespaces`; `*` stands for all there are."""

    def __init__(self, client: Client, namespaces: Sequence[str], *, clock: Clock) -> None:
        everywhere = EVERY_NAMESPACE in namespaces
        self._informers = {
            namespace: Informer(
                client,
                SECRETS,
                into=KeySecret,
                namespace=None if everywhere else namespace,
                field_selector=f"metadata.name={KEYS_SECRET}",
                clock=clock,
            )
            for namespace in ([EVERY_NAMESPACE] if everywhere else dict.fromkeys(namespaces))
        }
        self._log = structlog.get_logger(__name__)

    def __str__(self) -> str:
        return f"keys of {', '.join(self._informers) or 'no namespace'}"

    def on_change(self, call: Callable[[], None]) -> None:
        """Call `call` whenever a key may have come or gone."""
        for informer in self._informers.values():
            informer.add_handler(lambda event: None if event.unchanged else call())

    def keys(self) -> Iterator[Key]:
        """All keys of now."""
        return (found for found in self._found() if isinstance(found, Key))

    def problems(self) -> Iterator[str]:
        """A sentence for each entry that is no key."""
        return (found for found in self._found() if isinstance(found, str))

    async def run(self) -> None:
        """Follow them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers.values():
                tasks.create_task(informer.run(), name=str(informer))
            await asyncio.Event().wait()

    async def wait_read(self) -> None:
        """Wait until each was read, for some seconds at most; those that were not are told."""
        try:
            async with asyncio.timeout(FIRST_READ_SECONDS), asyncio.TaskGroup() as tasks:
                for informer in self._informers.values():
                    tasks.create_task(informer.wait_synced(2 * FIRST_READ_SECONDS), name=f"first read of {informer}")
        except TimeoutError:
            for namespace, informer in self._informers.items():
                if not informer.synced:
                    await self._tell(namespace, informer)

    async def _tell(self, namespace: str, informer: Informer[KeySecret]) -> None:
        try:
            await informer.wait_synced(0)
        except CacheNotSynced as error:
            self._log.warning("keys not read; nobody has any there yet", namespace=namespace, error=str(error))

    def _found(self) -> Iterator[Key | str]:
        for informer in self._informers.values():
            for secret in informer.store.values():
                yield from keys_of(secret)
