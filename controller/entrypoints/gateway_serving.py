"""The gateway as one runnable: it listens once it has a configuration, and ends when what was under way is over."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from controller.entrypoints.gateway_options import GatewayOptions
from controller.gateway.configuration import GatewayConfiguration, ServiceRoute
from controller.gateway.control.callers import Callers
from controller.gateway.gateway import Gateway, GatewayStatistics
from controller.gateway.latency import LatencyTable
from controller.gateway.reload import MakeTable, Serving
from controller.gateway.tls import TlsFiles
from controller.gateway.traced_table import TracedTable
from controller.qos.service_counts import ServiceCounts
from controller.qos.statistics import QoSStatistics
from controller.runtime.clock import Clock

if TYPE_CHECKING:
    from controller.gateway.shards.replica import GatewayReplica

_NOTHING_YET = GatewayStatistics(0, 0, 0, {}, {}, 0, QoSStatistics({}, {}))


class GatewayServing:
    """Runs one `Gateway`. `tls` None: plain HTTP. `engine_tls` is for engines that speak HTTPS.

    `replica` None: there are no others.
    """

    def __init__(
        self,
        options: GatewayOptions,
        callers: Callers,
        tls: TlsFiles | None,
        engine_tls: ssl.SSLContext,
        clock: Clock,
        replica: "GatewayReplica | None" = None,
    ) -> None:
        self._replica = replica
        self._options, self._callers, self._tls, self._engine_tls = options, callers, tls, engine_tls
        # traces are kept for a collector alone: Prometheus' text has no place for them
        traced = options.otlp_metrics_endpoint is not None
        self._make_table: MakeTable = partial(TracedTable, wall=clock.now) if traced else LatencyTable
        self._first: GatewayConfiguration | None = None
        self._gateway: Gateway | None = None
        self._configured = asyncio.Event()
        self._listening = asyncio.Event()
        self._ending = asyncio.Event()
        self.port = options.port

    def __str__(self) -> str:
        return f"gateway on {self._options.bind_host}:{self.port}"

    def apply(self, configuration: GatewayConfiguration) -> None:
        """Serve it from now on, or begin with it. Raises ValueError for one that cannot be served."""
        if self._gateway is not None:
            self._gateway.reload(configuration)
            return
        Serving(configuration)
        self._first = configuration
        self._configured.set()

    def stop(self) -> None:
        """Accept no more, and end when what is under way is over."""
        self._ending.set()

    async def run(self) -> None:
        """Serve until `stop`, then drain. Raises OSError when the address is taken."""
        await self._configured.wait()
        if self._first is None:
            raise RuntimeError("gateway: configured without a configuration")
        replica = self._replica
        gateway = Gateway(
            self._first,
            authenticator=self._callers,
            engine_tls=self._engine_tls,
            ownership=replica.ownership if replica is not None else None,
            peer_tls=replica.peer_contexts if replica is not None else None,
            make_table=self._make_table,
        )
        async with gateway, replica.taking_part(gateway) if replica is not None else nullcontext():
            self._gateway, self._first = gateway, None
            context = self._tls.context if self._tls is not None else None
            self.port = await gateway.serve(self._options.bind_host, self._options.port, ssl=context)
            self._listening.set()
            await self._ending.wait()
            self._listening.clear()
            if replica is not None:
                await replica.leave()
            await gateway.drain(self._options.drain_seconds)

    @property
    def ending(self) -> bool:
        """Whether the end was asked for."""
        return self._ending.is_set()

    async def wait_listening(self) -> None:
        """Wait until clients can connect."""
        await self._listening.wait()

    def verdict(self) -> bool | str:
        """For readiness: whether it takes requests."""
        return self._listening.is_set() or "does not listen"

    def statistics(self) -> GatewayStatistics:
        """The gateway's, or nothing before it begins."""
        return self._gateway.statistics() if self._gateway is not None else _NOTHING_YET

    def tables(self) -> Mapping[tuple[str, str], LatencyTable]:
        """What requests took, by service and class."""
        return self._gateway.tables if self._gateway is not None else {}

    def routes(self) -> tuple[ServiceRoute, ...]:
        """The services that it serves now."""
        return self._gateway.serving.configuration.services if self._gateway is not None else ()

    def counts(self) -> Mapping[str, ServiceCounts]:
        """What was counted against objectives, by service."""
        return self._gateway.counts if self._gateway is not None else {}
