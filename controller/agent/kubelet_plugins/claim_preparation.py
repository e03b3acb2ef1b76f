"""Prepares claims for the containers that use them, and takes them back: the verbs of a DRA driver.

A claim is read from the API server by name and must have the uid that was asked for. Its file is written once what its
allocation names is here; a second request for it answers the same. The kubelet tries a failed claim again only after a
minute or more, so what may be right in a moment is waited for here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from controller.agent.kubelet_plugins.cdi_folder import CdiFolder
from controller.agent.kubelet_plugins.cdi_spec import PreparedClaim, PreparedDevice, SpecError, document, file_name
from controller.agent.kubelet_plugins.claim_devices import (
    GivenDevice,
    NotYet,
    PrepareRefused,
    given_devices,
    require_free,
)
from controller.agent.kubelet_plugins.device_environment import device_nodes
from controller.agent.kubelet_plugins.plugin import NodeView
from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.client.errors import ApiError, Forbidden, NotFound
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest

WAIT_SECONDS = 10.0
"""How long a claim may take to become what can be prepared; the kubelet waits 45 s for the answer."""

_LOOK_SECONDS = 0.25
_REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class AskedClaim:
    """A claim as the kubelet names it."""

    namespace: str
    name: str
    uid: str


class ClaimPreparation:
    """The prepared claims of one node: those that `load` found, and what is done here."""

    def __init__(
        self,
        node: str,
        client: Client,
        view: Callable[[], NodeView],
        folder: CdiFolder,
        clock: Clock,
        *,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._node = node
        self._client = client
        self._view = view
        self._folder = folder
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._prepared: dict[str, PreparedClaim] = {}
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._log = structlog.get_logger(__name__).bind(node=node)

    def load(self) -> None:
        """Learn from the files what was prepared. Raises OSError when they cannot be read."""
        self._prepared = self._folder.load()

    def devices(self) -> frozenset[str]:
        """The names of all devices that are prepared for some claim."""
        return frozenset(device.name for claim in self._prepared.values() for device in claim.devices)

    async def prepare(self, asked: AskedClaim) -> tuple[GivenDevice, ...]:
        """The claim's devices, once its file is there. Raises PrepareRefused.

        Cancelled, the claim is prepared or it is not: there is nothing between.
        """
        deadline = self._clock.monotonic() + self._wait_seconds
        async with self._turn(asked.uid):
            while True:
                try:
                    return await self._try(asked)
                except NotYet:
                    if self._clock.monotonic() >= deadline:
                        raise
                await self._clock.sleep(_LOOK_SECONDS)

    async def unprepare(self, uid: str) -> None:
        """Take the claim's file away; one that was never prepared is as good. Raises PrepareRefused."""
        async with self._turn(uid):
            try:
                self._folder.remove(uid)
            except (OSError, SpecError) as error:
                raise PrepareRefused(f"CDI file not removed: {error}") from error
            if self._prepared.pop(uid, None) is not None:
                self._log.info("claim unprepared", uid=uid)

    async def _try(self, asked: AskedClaim) -> tuple[GivenDevice, ...]:
        given = given_devices(await self._read(asked), asked.uid, self._node, self._view())
        # from here on nobody else runs: what is free now is ours
        require_free(given, self._used_by_others(asked.uid))
        prepared = PreparedClaim(asked.uid, self._node, tuple(_prepared(one) for one in given))
        try:
            if self._prepared.get(asked.uid) != prepared or not self._folder.holds(asked.uid):
                self._folder.write(asked.uid, self._document(asked.uid, given))
                self._log.info("claim prepared", uid=asked.uid, claim=f"{asked.namespace}/{asked.name}")
        except OSError as error:
            raise PrepareRefused(f"CDI file not written: {error}; make its folder writable for the agent") from error
        self._prepared[asked.uid] = prepared
        return given

    async def _read(self, asked: AskedClaim) -> Manifest:
        which = f"ResourceClaim {asked.namespace}/{asked.name}"
        try:
            file_name(asked.uid)
            async with asyncio.timeout(_REQUEST_SECONDS):
                return await self._client.get(RESOURCE_CLAIMS, asked.name, asked.namespace)
        except SpecError as error:
            raise PrepareRefused(f"{which}: {error}") from error
        except Forbidden as error:
            raise PrepareRefused(f"{which}: {error}; let the agent's ServiceAccount get resourceclaims") from error
        except NotFound as error:
            raise NotYet(f"{which}: is not there; delete the pod") from error
        except (ApiError, TimeoutError) as error:
            raise NotYet(
                f"{which}: cannot be read ({str(error) or 'no answer'}); see whether the API server is up"
            ) from error

    def _document(self, uid: str, given: tuple[GivenDevice, ...]) -> dict[str, Any]:
        return document(
            uid, self._node, [(one.device, one.admin, device_nodes([one.device], _is_device)) for one in given]
        )

    def _used_by_others(self, uid: str) -> Iterator[tuple[str, str]]:
        for other in self._prepared.values():
            if other.uid != uid:
                yield from ((device.name, other.uid) for device in other.devices if not device.admin)

    @asynccontextmanager
    async def _turn(self, uid: str) -> AsyncIterator[None]:
        """One after another for each claim: what takes it back must not be overtaken by what prepares it."""
        lock, users = self._turns.get(uid, (asyncio.Lock(), 0))
        self._turns[uid] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns[uid]
            if users > 1:
                self._turns[uid] = lock, users - 1
            else:
                del self._turns[uid]


def _prepared(given: GivenDevice) -> PreparedDevice:
    return PreparedDevice(given.device.name, given.admin)


def _is_device(path: str) -> bool:
    return Path(path).is_char_device()
