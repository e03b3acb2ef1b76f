"""Writes GPUNode.status: only when it changed, over the version it was made from. The agent is its one writer."""

import asyncio
from collections.abc import Callable

from api.object import dump
from api.v1beta1.gpu_node import GPUNodeStatus
from controller.runtime.cache.store import Store
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Conflict, NotFound
from controller.runtime.manifest import Manifest, uid_of, version_of
from controller.state.kinds import GPU_NODES

_ATTEMPTS = 4


class GPUNodeAbsent(Exception):
    """There is no GPUNode of this node: the operator has not made it yet, or it was deleted."""


class StatusReporter:
    """Keeps the status of one GPUNode equal to what `make` returns for the object as it is.

    `make` is called with the latest object known, under a lock, and must neither wait nor change it.
    """

    def __init__(self, client: Client, store: Store, node: str, make: Callable[[Manifest], GPUNodeStatus]) -> None:
        self._client = client
        self._store = store
        self._node = node
        self._make = make
        self._lock = asyncio.Lock()
        self._written: Manifest | None = None
        self._seen_at_write = ""

    def latest(self) -> Manifest | None:
        """The object as last seen or written, None when there is none."""
        seen = self._store.get(self._node)
        if seen is None or self._written is None or uid_of(seen) != uid_of(self._written):
            return seen
        # Until the watch moves on from where it was at our write, that write's answer is the newer one.
        return self._written if version_of(seen) == self._seen_at_write else seen

    async def newest(self) -> Manifest | None:
        """The object as the API server has it now, None when there is none. Raises ApiError."""
        try:
            return await self._client.get(GPU_NODES, self._node)
        except NotFound:
            return None

    async def publish(self) -> bool:
        """Write the status if it differs; whether it did. What is true when it returns was stored.

        Raises GPUNodeAbsent, and ApiError, among them Conflict when others write all the time.
        """
        async with self._lock:
            present = self.latest()
            if present is None:
                raise GPUNodeAbsent(f"GPUNode {self._node}: not there yet; the operator makes it")
            for _ in range(_ATTEMPTS - 1):
                try:
                    return await self._write(present)
                except Conflict:
                    present = await self._client.get(GPU_NODES, self._node)
            return await self._write(present)

    async def _write(self, present: Manifest) -> bool:
        status = dump(self._make(present))
        if status == present.get("status"):
            return False
        seen = self._store.get(self._node)
        written = await self._client.replace(GPU_NODES, {**present, "status": status}, subresource="status")
        self._written = written
        self._seen_at_write = version_of(seen) if seen else ""
        return True
