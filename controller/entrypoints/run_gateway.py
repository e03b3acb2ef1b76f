"""The gateway process: informers, the gateway itself, and what it tells of itself, wired and run."""

import asyncio
import ctypes
import gc
import resource
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import aiohttp
import structlog

from controller.entrypoints.certificate_expiry import observe_certificates
from controller.entrypoints.engine_trust import engine_context
from controller.entrypoints.gateway_options import GatewayOptions
from controller.entrypoints.gateway_serving import GatewayServing
from controller.entrypoints.metrics_endpoint import metrics_server, process_metrics, reviewing_client
from controller.entrypoints.ports_file import PortsFile
from controller.gateway.collector import GatewayCollector
from controller.gateway.configuration import GatewayConfiguration
from controller.gateway.control.callers import Callers
from controller.gateway.control.key_secrets import KeySecrets
from controller.gateway.control.observing import HttpMetricsReader, Observing
from controller.gateway.control.request_counts import CountsWriter
from controller.gateway.control.rules import BUILT_IN
from controller.gateway.control.watching import Watching
from controller.gateway.tls import TlsError, TlsFiles
from controller.runtime.authorization import Access, Authorizer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError
from controller.runtime.clock import Clock, RealClock
from controller.runtime.health import Check, HealthServer
from controller.runtime.manager import Manager
from controller.runtime.metrics_page import page_session
from controller.runtime.pod_addresses import AddressFile
from controller.runtime.signals import stopping_on_signals
from controller.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from controller.gateway.shards.replica import GatewayReplica

USER_AGENT = "aim-gpu-gateway"

#: Beside the draining: for the last counts, and for informers to end.
STOP_SECONDS = 10.0

#: Beside that, for giving shards back to an API server that does not answer.
LEAVE_SECONDS = 10.0

#: Engines whose metrics are read at once: each after the other.
PAGE_CONNECTIONS = 1

#: Objects made between two collections of the youngest: requests make a few hundred each, and no cycles among them.
YOUNG_OBJECTS = 50_000

#: The shard of a gateway that has no other replicas.
ONLY_SHARD = 0


class GatewayProcess:
    """Everything of the process. `run` returns when `stop` is set and what was under way is over.

    `reviews` asks the API server who shows a token, `session` engines for their metrics. Raises TlsError where there is
    no certificate to begin with.
    """

    def __init__(
        self,
        options: GatewayOptions,
        client: Client,
        reviews: Client,
        session: aiohttp.ClientSession,
        clock: Clock,
        *,
        metrics: Metrics,
    ) -> None:
        self._options = options
        self._tls = TlsFiles(options.tls_dir, clock) if options.tls_dir is not None else None
        if self._tls is not None:
            self._tls.load()
        shown = {"gateway": self._tls.ending} if self._tls is not None else {}
        callers = Callers(_authorizer(options, reviews, clock))
        trusted = engine_context(options.engine_ca)
        self._replica: GatewayReplica | None = None
        self._last_shard: int | None = None
        if options.shards:
            # Certificates among replicas are made with a library of 10 MB, which one that is alone needs not.
            from controller.entrypoints.gateway_replica import replica_of

            self._replica, certificate = replica_of(options, client, trusted, clock, metrics)
            shown["peers"] = certificate.ending
        self.serving = GatewayServing(options, callers, self._tls, trusted, clock, self._replica)
        keys = KeySecrets(client, options.key_namespaces, clock=clock)
        self.watching = Watching(
            client,
            clock,
            base=base_configuration(options),
            callers=callers,
            keys=keys,
            apply=self.serving.apply,
            addresses=AddressFile(options.addresses) if options.addresses is not None else None,
        )
        writer = CountsWriter(client, self.watching.services.store, self.serving.counts, self._shard, clock)
        observing = Observing(
            client,
            clock,
            endpoints=self.watching.endpoints,
            claim_of=self.watching.claim_of,
            reader=HttpMetricsReader(session, trusted),
        )
        collector = GatewayCollector(
            self.serving.routes, self.serving.tables, self.serving.statistics, self.watching.statistics
        )
        collector.observed_by(metrics)
        observe_certificates(metrics, shown)
        leaving = LEAVE_SECONDS if self._replica is not None else 0.0
        self._manager = Manager(clock=clock, stop_grace=options.drain_seconds + STOP_SECONDS + leaving)
        self.health = HealthServer(options.bind_host, options.health_port, self._checks(), clock=clock)
        self.metrics = metrics_server(
            options.bind_host,
            options.metrics_port,
            metrics,
            reviews,
            clock,
            plain=options.metrics_plain,
            tls=self._tls.context if self._tls is not None else None,
        )
        for server in (self.health, self.metrics):
            self._manager.add_health(server)
        for informer in (*self.watching.informers, observing.profiles):
            self._manager.add_informer(informer)
        for runnable in (keys, self.watching, writer):
            self._manager.add(runnable)
        if metrics.push is not None:
            self._manager.add_health(metrics.push)
        if self._tls is not None:
            self._manager.add(self._tls)
        if options.shards:
            self._manager.add(certificate)
        # The group that starts last, when there is a configuration, and stops first. No election: every replica serves.
        self._manager.add_leader_only(self.serving)
        self._manager.add_leader_only(observing)
        self._manager.add_leader_only(PortsFile("gateway", options.ports_file, self._ports))

    def _checks(self) -> dict[str, Check]:
        checks: dict[str, Check] = {
            "manager": lambda: self._manager.ready,
            "gateway": self.serving.verdict,
        }
        if self._tls is not None:
            checks["certificate"] = self._tls.verdict
        return checks

    async def _ports(self) -> dict[str, int]:
        await self.serving.wait_listening()
        settle_memory()
        ports = {"gateway": self.serving.port, "health": self.health.port, "metrics": self.metrics.port}
        return ports if self._replica is None else {**ports, "peers": self._replica.port}

    def _shard(self) -> int | None:
        """The shard whose counts are ours to write; at the end, when none is ours any more, the last one that was.

        Whoever has it by then adds to what it sees there, and some seconds later at the earliest.
        """
        if self._replica is None:
            return ONLY_SHARD
        found = self._replica.ownership.first_shard()
        if found is not None or not self.serving.ending:
            self._last_shard = found
        return self._last_shard

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set or a part fails; raises the part's error."""
        await self._manager.run(stop)


def base_configuration(options: GatewayOptions) -> GatewayConfiguration:
    """What of the configuration does not come from the cluster."""
    return GatewayConfiguration(
        classes=BUILT_IN, open=options.open, limits=options.limits, host_namespaces=options.hosts
    )


def _authorizer(options: GatewayOptions, reviews: Client, clock: Clock) -> Authorizer | None:
    if options.audience is None:
        return None
    return Authorizer(reviews, Access(path="", audiences=(options.audience,)), clock=clock)


def settle_memory() -> None:
    """What is there after the start stays: it is never walked by the collector again, and the rest is given back."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    with suppress(OSError, AttributeError):  # a C library without it
        ctypes.CDLL(None).malloc_trim(0)


def raise_file_limit() -> None:
    """As many open files as this process may have: a connection is one, and twice that with its engine's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # more than the kernel allows by now
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def run_gateway(options: GatewayOptions) -> None:
    """Run the gateway until SIGTERM or SIGINT. Raises what made a part fail, ConfigurationError."""
    clock = RealClock()
    stop = asyncio.Event()
    configuration = ClientConfiguration.load(options.kubeconfig)
    raise_file_limit()
    with stopping_on_signals(stop), closing(process_metrics("gateway", options.otlp_metrics_endpoint)) as metrics:
        async with (
            Client(configuration, clock=clock, user_agent=USER_AGENT, meter=metrics.meter) as client,
            reviewing_client(configuration, metrics, clock, USER_AGENT) as reviews,
            page_session(PAGE_CONNECTIONS) as session,
        ):
            try:
                process = GatewayProcess(options, client, reviews, session, clock, metrics=metrics)
            except TlsError as error:
                raise ConfigurationError(f"--tls-dir: {error}") from error
            structlog.get_logger(__name__).info("starting", tls=options.tls_dir is not None, open=options.open)
            await process.run(stop)
