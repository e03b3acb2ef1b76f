"""The process that serves the live map in a cluster: informers, who may see what, and the page, wired and run."""

import asyncio
from contextlib import closing
from functools import partial
from typing import Final

import structlog

from controller.cli.live_rights import NotReadable
from controller.entrypoints.certificate_expiry import observe_certificates
from controller.entrypoints.metrics_endpoint import metrics_server, process_metrics, reviewing_client
from controller.entrypoints.ports_file import PortsFile
from controller.entrypoints.ui_server_options import UiServerOptions
from controller.gateway.tls import TlsError, TlsFiles
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
from controller.runtime.clock import Clock, RealClock
from controller.runtime.health import Check, HealthServer
from controller.runtime.manager import Manager
from controller.runtime.signals import stopping_on_signals
from controller.telemetry.metrics import Metrics
from controller.ui.apart import apart
from controller.ui.collector import observe_map
from controller.ui.limits import Limits
from controller.ui.live_map import LiveMap
from controller.ui.review_gate import ReviewGate
from controller.ui.server import MapServer

USER_AGENT: Final = "aim-gpu-ui"

#: Longest that one plan may take; most take well below a second.
PLAN_SECONDS: Final = 30.0

#: For reviews of who asks: they take no connection from what is followed.
REVIEW_CONNECTIONS: Final = 16


class UiServerProcess:
    """Everything of the process. `run` returns when `stop` is set.

    `reviews` asks the API server who shows a token and what they may list, `scrapers` who may read metrics. Raises
    TlsError where there is no certificate to begin with.
    """

    def __init__(
        self,
        options: UiServerOptions,
        client: Client,
        reviews: Client,
        scrapers: Client,
        clock: Clock,
        *,
        metrics: Metrics,
    ) -> None:
        self._tls = TlsFiles(options.tls_dir, clock) if options.tls_dir is not None else None
        if self._tls is not None:
            self._tls.load()
        where = partial(apart, seconds=PLAN_SECONDS)
        self._map = LiveMap(client, options.system_namespace, clock, quiet=False, where=where, waits=True)
        self.server = MapServer(
            options.bind_host,
            options.port,
            feed=self._map.feed,
            gate=ReviewGate(reviews, clock, options.audiences, self._map.namespaces),
            answers=self._map.planner,
            clock=clock,
            names=None,
            tls=self._tls.context if self._tls is not None else None,
            limits=Limits(clock),
        )
        observe_map(metrics, self._map.feed, self._map.pulse, self.server)
        observe_certificates(metrics, {"ui": self._tls.ending} if self._tls is not None else {})
        self.health = HealthServer(options.bind_host, options.health_port, self._checks(), clock=clock)
        self.metrics = metrics_server(
            options.bind_host,
            options.metrics_port,
            metrics,
            scrapers,
            clock,
            plain=options.metrics_plain,
            tls=self._tls.context if self._tls is not None else None,
        )
        self._manager = Manager(clock=clock)
        for server in (self.health, self.metrics):
            self._manager.add_health(server)
        if metrics.push is not None:
            self._manager.add_health(metrics.push)
        for runnable in (self._map, _AfterFilling(self._map, self.server)):
            self._manager.add(runnable)
        if self._tls is not None:
            self._manager.add(self._tls)
        self._manager.add(PortsFile("ui-server", options.ports_file, self._ports))

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set or a part fails; raises the part's error."""
        await self._manager.run(stop)

    def _checks(self) -> dict[str, Check]:
        checks: dict[str, Check] = {
            "cluster": lambda: self._map.filled or "not listed yet",
            "ui": lambda: self.server.listening or "does not listen",
        }
        if self._tls is not None:
            checks["certificate"] = self._tls.verdict
        return checks

    async def _ports(self) -> dict[str, int]:
        await self._map.wait_filled()
        await self.server.wait_started(PLAN_SECONDS)
        return {"ui": self.server.port, "health": self.health.port, "metrics": self.metrics.port}


class _AfterFilling:
    """Listens once there is something to show: a page that came before would show an empty cluster."""

    def __init__(self, shown: LiveMap, server: MapServer) -> None:
        self._shown, self._server = shown, server

    def __str__(self) -> str:
        return str(self._server)

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError when the address is taken."""
        await self._shown.wait_filled()
        await self._server.run()


async def run_ui_server(options: UiServerOptions) -> None:
    """Serve until SIGTERM or SIGINT. Raises what made a part fail, ConfigurationError."""
    clock, stop = RealClock(), asyncio.Event()
    configuration = ClientConfiguration.load(options.kubeconfig)
    with stopping_on_signals(stop), closing(process_metrics("ui", options.otlp_metrics_endpoint)) as metrics:
        client_of = partial(Client, configuration, clock=clock, user_agent=USER_AGENT, meter=metrics.meter)
        async with (
            client_of() as client,
            client_of(max_connections=REVIEW_CONNECTIONS) as reviews,
            reviewing_client(configuration, metrics, clock, USER_AGENT) as scrapers,
        ):
            try:
                process = UiServerProcess(options, client, reviews, scrapers, clock, metrics=metrics)
            except TlsError as error:
                raise ConfigurationError(f"--tls-dir: {error}") from error
            structlog.get_logger(__name__).info(
                "starting", audiences=options.audiences, tls=options.tls_dir is not None
            )
            try:
                await process.run(stop)
            except NotReadable as error:
                raise ConfigurationError(f"cannot show the map: {error}; grant it to this process's account") from error
