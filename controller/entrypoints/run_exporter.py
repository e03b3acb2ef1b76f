"""The exporter process: informers, the reading of engines, and what it tells, wired and run."""

import asyncio
from contextlib import closing
from functools import partial

import aiohttp
import structlog

from controller.entrypoints.engine_trust import engine_context
from controller.entrypoints.exporter_options import ExporterOptions
from controller.entrypoints.metrics_endpoint import metrics_server, process_metrics, reviewing_client
from controller.entrypoints.ports_file import PortsFile
from controller.exporter.engines.reading import Reading
from controller.exporter.engines.service_metrics import EDGES, ServiceMetrics
from controller.exporter.engines.totals import Totals
from controller.exporter.engines.watching import Watching
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import Clock, RealClock
from controller.runtime.health import HealthServer
from controller.runtime.manager import Manager
from controller.runtime.metrics_page import page_session, read_page
from controller.runtime.pod_addresses import AddressFile
from controller.runtime.signals import stopping_on_signals
from controller.telemetry.metrics import Metrics

USER_AGENT = "aim-gpu-exporter"

#: Of an engine's page; vLLM's has some 40 KiB, and a MiB is read through in 0.13 s at worst.
MOST_BYTES = 1 << 20


class ExporterProcess:
    """Everything of the process. `run` returns when `stop` is set.

    `reviews` asks the API server who shows a token, `session` (of `page_session`) engines for their metrics. Raises
    ConfigurationError for an authority that is none.
    """

    def __init__(
        self,
        options: ExporterOptions,
        client: Client,
        reviews: Client,
        session: aiohttp.ClientSession,
        clock: Clock,
        *,
        metrics: Metrics,
    ) -> None:
        addresses = AddressFile(options.addresses) if options.addresses is not None else None
        watching = Watching(client, clock, gateway=options.gateway, addresses=addresses)
        totals = Totals(EDGES, options.keep_seconds)
        read = partial(
            read_page,
            session,
            tls=engine_context(options.engine_ca),
            seconds=options.reading.limit_seconds,
            most_bytes=MOST_BYTES,
        )
        reading = Reading(read, watching, totals, EDGES, clock, settings=options.reading)
        ServiceMetrics(metrics, totals, watching, reading, clock)
        self._manager = Manager(clock=clock)
        self.health = HealthServer(
            options.bind_host, options.health_port, {"manager": lambda: self._manager.ready}, clock=clock
        )
        self.metrics = metrics_server(
            options.bind_host, options.metrics_port, metrics, reviews, clock, plain=options.metrics_plain
        )
        for server in (self.health, self.metrics):
            self._manager.add_health(server)
        for informer in watching.informers:
            self._manager.add_informer(informer)
        self._manager.add(reading)
        if metrics.push is not None:
            self._manager.add_health(metrics.push)
        self._manager.add(PortsFile("exporter", options.ports_file, self._ports))

    async def _ports(self) -> dict[str, int]:
        return {"health": self.health.port, "metrics": self.metrics.port}

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set or a part fails; raises the part's error."""
        await self._manager.run(stop)


async def run_exporter(options: ExporterOptions) -> None:
    """Run the exporter until SIGTERM or SIGINT. Raises what made a part fail, ConfigurationError."""
    clock = RealClock()
    stop = asyncio.Event()
    configuration = ClientConfiguration.load(options.kubeconfig)
    with stopping_on_signals(stop), closing(process_metrics("exporter", options.otlp_metrics_endpoint)) as metrics:
        async with (
            Client(configuration, clock=clock, user_agent=USER_AGENT, meter=metrics.meter) as client,
            reviewing_client(configuration, metrics, clock, USER_AGENT) as reviews,
            page_session(options.reading.at_once) as session,
        ):
            process = ExporterProcess(options, client, reviews, session, clock, metrics=metrics)
            structlog.get_logger(__name__).info("starting", gateway=options.gateway)
            await process.run(stop)
