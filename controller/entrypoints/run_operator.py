"""The operator process: informers, reconcilers, the pod webhook, health and metrics, wired and run."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from controller.binding.isolation import ResourceIsolator
from controller.entrypoints.operator_options import OperatorOptions
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.gpu_node.controller import GPUNodeReconciler
from controller.reconcilers.gpu_partition_claim import triggers
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.controller import ClaimReconciler
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.reconcilers.inference_service.controller import InferenceServiceReconciler, ServiceContext
from controller.reconcilers.inference_service.triggers import service_of_claim, service_of_owned, service_of_pod
from controller.reconcilers.repartition_plan.controller import RepartitionPlanReconciler
from controller.runtime.cache.object_type import T
from controller.runtime.cache.store import StoreEvent
from controller.runtime.certs.authority import ServingCertificate, issue_leaf, make_authority
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import Clock, RealClock
from controller.runtime.controller import Controller
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.health import HealthServer
from controller.runtime.manager import Manager
from controller.runtime.reconcile import Request, Result
from controller.runtime.source import itself
from controller.runtime.webhook.server import WebhookServer
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import ModelSizingConfig
from controller.state.cluster import Cluster
from controller.telemetry.metrics import Metrics
from controller.webhooks.pod_gate import PodGate
from controller.webhooks.registration import PATH, Registration

log = structlog.get_logger(__name__)

#: Longest pause between two tries of one object, seconds: an API server that is back is used soon.
LONGEST_DELAY = 30.0
#: The certificates made at start outlive any process; rotation comes with certificates kept in a Secret.
CERTIFICATE_LIFETIME = timedelta(days=365)


class Operator:
    """Builds everything of the process. `run` returns when `stop` is set."""

    def __init__(self, options: OperatorOptions, client: Client, clock: Clock) -> None:
        self._options = options
        self._client = client
        self._clock = clock
        self._metrics = Metrics("operator")
        self._cluster = Cluster(client, clock, system_namespace=options.system_namespace)
        self._manager = Manager(clock=clock)
        self._recorder = EventRecorder(client, "aim-gpu-operator", clock=clock)
        self._sizing = ModelSizingConfig(Catalog.bundled())
        self._certificate = self._make_certificate()
        self._webhook = WebhookServer(options.bind_host, options.webhook_port, self._certificate)
        self._registration = Registration(client, clock, self._client_config)
        self._health = HealthServer(
            options.bind_host,
            options.metrics_port,
            {
                "manager": lambda: self._manager.ready,
                "webhook": lambda: self._webhook.serving,
                "registration": self._registration.verdict,
            },
            metrics=self._metrics.exposition,
        )
        self._wire()

    def _make_certificate(self) -> ServingCertificate:
        service = f"aim-gpu-operator.{self._options.system_namespace}.svc"
        names = [self._options.webhook_url_host or service, service]
        now = self._clock.now()
        authority = make_authority("aim-gpu-sharing webhook CA", now, CERTIFICATE_LIFETIME)
        return issue_leaf(authority, list(dict.fromkeys(names)), now, CERTIFICATE_LIFETIME - timedelta(days=1))

    def _wire(self) -> None:
        self._manager.add_health(self._health)
        self._webhook.handle_admission(PATH, PodGate())
        self._manager.add_webhook(self._webhook)
        for informer in self._cluster.informers:
            self._manager.add_informer(informer)
        self._manager.add(self._recorder)
        self._manager.add(self._registration)
        self._manager.add(_PortsFile(self))
        self._wire_claims()
        self._wire_services()
        self._wire_nodes()
        self._wire_plans()

    def _controller(self, name: str, reconcile: Callable[[Request], Awaitable[Result]], workers: int) -> Controller:
        controller = Controller(
            name,
            reconcile,
            workers=workers,
            clock=self._clock,
            longest_delay=LONGEST_DELAY,
            meter=self._metrics.meter,
        )
        self._manager.add_controller(controller)
        return controller

    def _wire_claims(self) -> None:
        cluster = self._cluster

        def enqueue(key: str) -> None:
            namespace, _, name = key.partition("/")
            controller.enqueue(Request(namespace, name))

        cycle = PlacementCycle(cluster, ModelScheduler(), self._clock, enqueue)
        context = ClaimContext(
            client=self._client,
            cluster=cluster,
            cycle=cycle,
            sizing=self._sizing,
            isolator=ResourceIsolator(),
            recorder=self._recorder,
            clock=self._clock,
            operations=self._metrics.scheduler_operations,
        )
        controller = self._controller("gpupartitionclaim", ClaimReconciler(context).reconcile, self._options.workers)
        controller.watches(cluster.pods, triggers.claim_of_pod)
        controller.for_(cluster.claims)
        controller.watches(cluster.resource_claims, triggers.claim_of_resource_claim)
        self._manager.add(cycle)
        cluster.pods.add_handler(_when(triggers.frees_node, cycle))
        cluster.claims.add_handler(_when(triggers.frees_claim, cycle))
        cluster.resource_claims.add_handler(_when(triggers.frees_device, cycle))
        cluster.nodes.add_handler(_when(triggers.node_differs, cycle))
        cluster.gpu_nodes.add_handler(_when(triggers.inventory_differs, cycle))
        cluster.policies.add_handler(_when(triggers.policy_differs, cycle))
        cluster.plans.add_handler(_when(triggers.plan_moves, cycle))
        cluster.namespaces.add_handler(_when(triggers.labels_differ, cycle))
        cluster.heartbeats.on_revival(cycle.changed)

    def _wire_services(self) -> None:
        context = ServiceContext(self._client, self._cluster, self._sizing, self._clock, self._options.image_template)
        controller = self._controller("inferenceservice", InferenceServiceReconciler(context).reconcile, 4)
        controller.for_(self._cluster.services)
        controller.watches(self._cluster.deployments, service_of_owned)
        controller.watches(self._cluster.pods, service_of_pod)
        controller.watches(self._cluster.claims, service_of_claim(self._cluster))

    def _wire_nodes(self) -> None:
        controller = self._controller("gpunode", GPUNodeReconciler(self._client, self._cluster).reconcile, 2)
        controller.watches(self._cluster.nodes, itself)
        controller.for_(self._cluster.gpu_nodes)

    def _wire_plans(self) -> None:
        reconciler = RepartitionPlanReconciler(
            self._client, self._cluster, self._recorder, self._clock, self._metrics.scheduler_operations
        )
        controller = self._controller("repartitionplan", reconciler.reconcile, 1)
        controller.for_(self._cluster.plans)
        controller.watches(self._cluster.gpu_nodes, self._plans_of_node)

    def _plans_of_node(self, event: StoreEvent) -> list[Request]:
        name = event.object["metadata"]["name"]
        return [
            Request("", plan.metadata.name)
            for plan in self._cluster.plan_table.values()
            if plan.spec.node == name and plan.metadata.uid
        ]

    def _client_config(self) -> dict[str, str]:
        """What the API server must know of the webhook, once it listens."""
        config = {"caBundle": self._certificate.ca_bundle}
        host = self._options.webhook_url_host
        return config if host is None else {**config, "url": f"https://{host}:{self._webhook.port}{PATH}"}

    async def announce(self) -> None:
        """Write the ports once the webhook is registered."""
        await self._registration.wait_registered()
        ports = {"webhook": self._webhook.port, "metrics": self._health.port}
        log.info("operator listens", **ports)
        if self._options.ports_file is not None:
            temporary = self._options.ports_file.with_suffix(".tmp")
            temporary.write_text(json.dumps(ports))
            temporary.replace(self._options.ports_file)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set or a part fails; raises the part's error."""
        try:
            await self._manager.run(stop)
        finally:
            self._metrics.close()


class _PortsFile:
    """Tells whoever started the process which ports it took, then has nothing more to do."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator

    async def run(self) -> None:
        await self._operator.announce()
        await asyncio.Event().wait()


def _when(helps: Callable[[StoreEvent[T]], bool], cycle: PlacementCycle) -> Callable[[StoreEvent[T]], None]:
    def take(event: StoreEvent[T]) -> None:
        if not event.initial and helps(event):
            cycle.changed()

    return take


async def run_operator(options: OperatorOptions) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises what made a part fail."""
    clock = RealClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Client(
        ClientConfiguration.load(options.kubeconfig), clock=clock, user_agent="aim-gpu-operator"
    ) as client:
        await Operator(options, client, clock).run(stop)
