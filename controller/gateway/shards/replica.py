"""One replica of several, wired: its shards, its port for the others, and what it asks of them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from controller.gateway.gateway import Gateway
from controller.gateway.shards.coordinator import Replica
from controller.gateway.shards.ownership import ShardOwnership
from controller.gateway.shards.peer_tls import PeerTls
from controller.gateway.shards.settling import Settling
from controller.gateway.shards.timing import ShardTiming
from controller.runtime.client.client import Client
from controller.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where this replica listens for others (`port` 0: a free one), and by which host they reach it."""

    bind_host: str
    port: int
    advertised_host: str


class GatewayReplica:
    """Takes part for a `Gateway` that was made with `ownership` and `peer_contexts`.

    `tls` None: others are spoken to in the open, which is for tests on one machine. `engine_tls`: as the gateway's.
    """

    def __init__(
        self,
        client: Client,
        replica: Replica,
        address: PeerAddress,
        *,
        tls: PeerTls | None,
        engine_tls: ssl.SSLContext | None,
        clock: Clock,
        rng: Random,
        timing: ShardTiming | None = None,
    ) -> None:
        self._address, self._tls = address, tls
        self.ownership = ShardOwnership(client, replica, clock=clock, rng=rng, timing=timing)
        self.peer_contexts = tls.client if tls is not None else None
        self.port = address.port
        self._settling = Settling(self.ownership, clock=clock, peer_tls=self.peer_contexts, engine_tls=engine_tls)

    @asynccontextmanager
    async def taking_part(self, gateway: Gateway) -> AsyncIterator[None]:
        """Have shards while the block lasts; what is still held at its end is given back."""
        self.ownership.attach(gateway)
        tls = self._tls.server if self._tls is not None else None
        self.port = await gateway.serve(self._address.bind_host, self._address.port, ssl=tls, for_peers=True)
        coordinator = self.ownership.coordinator
        host = self._address.advertised_host
        coordinator.reached_at(f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}")
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(coordinator.run(), name="shards")
            settling = tasks.create_task(self._settling.run(), name="seats of others")
            try:
                yield
            finally:
                coordinator.stop()
                await running
                settling.cancel()

    async def leave(self) -> None:
        """Give every shard back; what runs goes on, and requests that come are sent to their owners."""
        await self.ownership.coordinator.leave()
