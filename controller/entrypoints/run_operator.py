"""The operator process: informers, reconcilers, election and servers, wired and run."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import closing
from random import SystemRandom

from controller.binding.isolation import ResourceIsolator
from controller.entrypoints.metrics_endpoint import process_metrics, reviewing_client
from controller.entrypoints.operator_metrics import OperatorMetrics
from controller.entrypoints.operator_migration import storage_migration
from controller.entrypoints.operator_options import OperatorOptions
from controller.entrypoints.operator_servers import OperatorServers
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.defragmentation.controller import DefragmentationReconciler
from controller.reconcilers.gpu_node.controller import GPUNodeReconciler
from controller.reconcilers.gpu_partition_claim import triggers
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.controller import ClaimReconciler
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.reconcilers.gpu_partition_claim.room import told_of_room, when
from controller.reconcilers.gpu_partition_claim.wakeups import Change
from controller.reconcilers.gpu_sharing_policy import triggers as policy_triggers
from controller.reconcilers.gpu_sharing_policy.controller import PolicyStatusReconciler
from controller.reconcilers.inference_service.controller import InferenceServiceReconciler, ServiceContext
from controller.reconcilers.inference_service.triggers import (
    service_of_claim,
    service_of_owned,
    service_of_pod,
    services_beside,
    services_of_bound,
    services_of_name,
    services_of_products,
    services_of_profile,
)
from controller.reconcilers.kserve_service.controller import KServeServiceReconciler
from controller.reconcilers.kserve_service.triggers import kserve_service_of_claim, kserve_service_of_pod
from controller.reconcilers.model_profile.controller import ModelProfileReconciler
from controller.reconcilers.model_profile.triggers import profiles_of_profile
from controller.reconcilers.node_plugins.plugins import NodePlugins
from controller.reconcilers.profile_map import triggers as profile_map_triggers
from controller.reconcilers.profile_map.controller import ProfileMapReconciler
from controller.reconcilers.repartition_plan.controller import RepartitionPlanReconciler
from controller.reconcilers.repartition_plan.triggers import plan_of_claim, plans_of_node
from controller.reconcilers.rollout.controller import HandoverReconciler, waiting_claim, waiting_claims
from controller.reconcilers.rollout.scaling_in import DeletionCostReconciler, sets_beside
from controller.reconcilers.unhealthy.controller import UnhealthyReconciler
from controller.reconcilers.unhealthy.triggers import node_of_host, node_of_inventory, node_of_troubled_claim
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import Clock, RealClock
from controller.runtime.controller import Controller
from controller.runtime.debug import DebugServer
from controller.runtime.election.renewer import LeaderElector, unique_identity
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.manager import Manager
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request, Result
from controller.runtime.signals import stopping_on_signals
from controller.runtime.source import itself
from controller.sizing.catalog import Catalog
from controller.state.cluster import Cluster
from controller.state.expected import known_claims
from controller.state.models import Models
from controller.telemetry.metrics import Metrics
from controller.telemetry.tracing import Tracing

#: Longest pause between two tries of one object, seconds: an API server that is back is used soon.
LONGEST_DELAY = 30.0
#: The Lease that makes a replica the leader, in the system namespace.
LEASE = "aim-gpu-operator"
USER_AGENT = "aim-gpu-operator"


class Operator:
    """Builds everything of the process. `run` returns when `stop` is set.

    `configuration` is the elector's, which has a thread and connections of its own; `reviews` asks who may read
    `metrics`. What reconcilers, placement and the event recorder write goes out only while this replica surely leads.
    """

    def __init__(
        self,
        options: OperatorOptions,
        configuration: ClientConfiguration,
        client: Client,
        clock: Clock,
        *,
        metrics: Metrics,
        reviews: Client,
    ) -> None:
        self._options = options
        self._clock = clock
        self._metrics = metrics
        self._tracing = Tracing("operator", options.otlp_endpoint)
        elector = self._elector(configuration)
        self._client = client if elector is None else client.guarded(elector.check)
        self._cluster = Cluster(client, clock, system_namespace=options.system_namespace)
        self._manager = Manager(elector=elector, clock=clock)
        self._recorder = EventRecorder(self._client, "aim-gpu-operator", clock=clock)
        self._sizing = Models(Catalog.bundled())
        self._cluster.model_profiles.add_handler(self._sizing.take)
        self._controllers: list[Controller] = []
        self._scheduler = ModelScheduler.by_policy(
            lambda: known_claims(self._cluster.claim_table, self._cluster.pod_table)
        )
        OperatorServers(
            options,
            client,
            clock,
            metrics=metrics,
            reviews=reviews,
            manager=self._manager,
            cluster=self._cluster,
            sizing=self._sizing,
        )
        told = OperatorMetrics(metrics, self._cluster, self._scheduler, clock)
        self._counts = told.counts
        self._manager.add_leader_only(told)
        if metrics.push is not None:
            self._manager.add_health(metrics.push)
        self._manager.add_leader_only(storage_migration(options, self._client, clock, metrics))
        self._wire()

    def _elector(self, configuration: ClientConfiguration) -> LeaderElector | None:
        if self._options.election is None:
            return None
        return LeaderElector(
            configuration,
            namespace=self._options.system_namespace,
            name=LEASE,
            # in a pod the host's name would do; elsewhere whoever starts replicas tells them apart
            identity=unique_identity(SystemRandom(), os.environ.get("POD_NAME")),
            timing=self._options.election,
            clock=self._clock,
            meter=self._metrics.meter,
            user_agent=USER_AGENT,
        )

    def _wire(self) -> None:
        for informer in self._cluster.informers:
            self._manager.add_informer(informer)
        self._manager.add(self._recorder)
        self._manager.add(self._cluster.kserve)
        self._wire_claims()
        self._wire_services()
        self._wire_profile_maps()
        self._wire_kserve()
        self._wire_nodes()
        self._wire_plans()
        self._wire_unhealthy()
        self._wire_policies()
        self._wire_model_profiles()
        if self._options.debug_port is not None:
            self._manager.add(DebugServer(self._controllers, self._options.debug_port))

    def _controller(self, name: str, reconcile: Callable[[Request], Awaitable[Result]], workers: int) -> Controller:
        controller = Controller(
            name,
            reconcile,
            workers=workers,
            clock=self._clock,
            longest_delay=LONGEST_DELAY,
            meter=self._metrics.meter,
            tracer=self._tracing.tracer,
        )
        self._controllers.append(controller)
        self._manager.add_controller(controller)
        return controller

    def _wire_claims(self) -> None:
        cluster = self._cluster

        def enqueue(key: str) -> None:
            namespace, _, name = key.partition("/")
            controller.enqueue(Request(namespace, name), triggers.HELD)

        cycle = PlacementCycle(cluster, self._scheduler, self._clock, enqueue, self._counts)
        context = ClaimContext(
            client=self._client,
            cluster=cluster,
            cycle=cycle,
            sizing=self._sizing,
            isolator=ResourceIsolator(),
            recorder=self._recorder,
            clock=self._clock,
            counts=self._counts,
        )
        controller = self._controller("gpupartitionclaim", ClaimReconciler(context).reconcile, self._options.workers)
        controller.watches(cluster.pods, triggers.claim_of_pod)
        controller.for_(cluster.claims)
        controller.watches(cluster.resource_claims, triggers.claim_of_resource_claim)
        controller.watches(cluster.gpu_nodes, triggers.claims_told_of(cluster.pod_table))
        controller.watches(cluster.model_profiles, triggers.claims_of_profile(cluster.claim_table))
        controller.watches(cluster.profile_maps, triggers.claims_of_map(cluster.pods))

        def profiles_changed(key: str) -> None:
            for request, priority in triggers.claims_waiting_for(cluster.pods, key):
                controller.enqueue(request, priority)

        cluster.written_maps.on_change(profiles_changed)
        self._manager.add_leader_only(cycle)
        self._wire_rollouts(cycle)
        self._defragmentation = self._wire_defragmentation(cycle)
        told_of_room(cluster, cycle.changed)
        cluster.replica_sets.add_handler(when(cluster.revisions.differ, cycle.changed, Change.REVISION))

    def _wire_rollouts(self, cycle: PlacementCycle) -> None:
        cluster = self._cluster
        reconciler = HandoverReconciler(
            self._client, cluster, cycle, self._recorder, self._clock, self._scheduler, self._counts
        )
        # one worker: each looks at what the one before began
        controller = self._controller("handover", reconciler.reconcile, 1)
        controller.watches(cluster.claims, waiting_claim)
        controller.watches(cluster.policies, waiting_claims(cycle))
        costs = DeletionCostReconciler(self._client, cluster, self._clock)
        self._controller("deletioncost", costs.reconcile, 1).watches(cluster.claims, sets_beside(cluster))

    def _wire_defragmentation(self, cycle: PlacementCycle) -> DefragmentationReconciler:
        reconciler = DefragmentationReconciler(self._client, self._cluster, cycle, self._recorder, self._clock)
        # one worker: what one look proposed counts at the next
        self._controller("defragmentation", reconciler.reconcile, 1).for_(self._cluster.policies)
        return reconciler

    def _wire_services(self) -> None:
        cluster = self._cluster
        context = ServiceContext(
            self._client, cluster, self._sizing, self._clock, self._options.image_template, self._scheduler
        )
        reconciler = InferenceServiceReconciler(context)
        controller = self._controller("inferenceservice", reconciler.reconcile, 4)
        reconciler.updating.on_change(lambda key: controller.enqueue(Request.of(key)))
        told_of_room(cluster, lambda _: reconciler.updating.changed())
        controller.for_(cluster.services)
        controller.watches(cluster.services, services_of_name(cluster))
        controller.watches(cluster.services, services_beside(cluster))
        controller.watches(cluster.policies, services_of_bound(cluster))
        controller.watches(cluster.namespaces, services_of_bound(cluster))
        controller.watches(cluster.deployments, service_of_owned)
        controller.watches(cluster.kserve, service_of_owned)
        controller.watches(cluster.pods, service_of_pod)
        controller.watches(cluster.claims, service_of_claim(cluster))
        controller.watches(cluster.profile_maps, service_of_owned)
        controller.watches(cluster.model_profiles, services_of_profile(cluster))
        controller.watches(cluster.gpu_nodes, services_of_products(cluster))

        def all_of_them() -> None:
            for request in map(Request.of, cluster.service_table.keys()):
                controller.enqueue(request)

        cluster.kserve.on_change(all_of_them)

    def _wire_profile_maps(self) -> None:
        cluster = self._cluster
        reconciler = ProfileMapReconciler(self._client, cluster, self._sizing)
        controller = self._controller("profilemap", reconciler.reconcile, 4)
        controller.watches(cluster.pods, profile_map_triggers.map_of_pod(cluster))
        controller.watches(cluster.profile_maps, profile_map_triggers.itself_of_pods)
        controller.watches(cluster.gpu_nodes, profile_map_triggers.maps_of_products(cluster))
        controller.watches(cluster.model_profiles, profile_map_triggers.maps_of_profile(cluster))

    def _wire_kserve(self) -> None:
        cluster = self._cluster
        reconciler = KServeServiceReconciler(self._client, cluster, self._recorder, self._clock)
        controller = self._controller("kserveservice", reconciler.reconcile, 2)
        controller.for_(cluster.kserve)
        controller.watches(cluster.pods, kserve_service_of_pod)
        controller.watches(cluster.claims, kserve_service_of_claim(cluster))

    def _wire_nodes(self) -> None:
        controller = self._controller("gpunode", GPUNodeReconciler(self._client, self._cluster).reconcile, 2)
        controller.watches(self._cluster.nodes, itself)
        controller.watches(self._cluster.plans, _node_of_plan)
        controller.for_(self._cluster.gpu_nodes)

    def _wire_plans(self) -> None:
        cluster = self._cluster
        reconciler = RepartitionPlanReconciler(
            self._client,
            cluster,
            self._recorder,
            self._clock,
            self._counts,
            plugins=NodePlugins(self._client, cluster, self._clock),
            lost=self._defragmentation.lost,
        )
        controller = self._controller("repartitionplan", reconciler.reconcile, 1)
        controller.for_(cluster.plans)
        controller.watches(cluster.gpu_nodes, plans_of_node(cluster))
        controller.watches(cluster.claims, plan_of_claim(cluster))

    def _wire_unhealthy(self) -> None:
        cluster = self._cluster
        reconciler = UnhealthyReconciler(self._client, cluster, self._recorder, self._clock, self._counts)
        controller = self._controller("unhealthy", reconciler.reconcile, 1)
        controller.watches(cluster.gpu_nodes, node_of_inventory)
        controller.watches(cluster.nodes, node_of_host)
        controller.watches(cluster.claims, node_of_troubled_claim)

    def _wire_policies(self) -> None:
        cluster = self._cluster
        reconciler = PolicyStatusReconciler(self._client, cluster, self._clock)
        controller = self._controller("gpusharingpolicy", reconciler.reconcile, 1)
        controller.watches(cluster.policies, policy_triggers.policies_of_policy)
        controller.watches(cluster.nodes, policy_triggers.policies_of_node)
        controller.watches(cluster.gpu_nodes, policy_triggers.policies_of_gpu_node)
        controller.watches(cluster.claims, policy_triggers.policies_of_claim)

    def _wire_model_profiles(self) -> None:
        cluster = self._cluster
        reconciler = ModelProfileReconciler(self._client, cluster, self._sizing, self._clock)
        controller = self._controller("modelprofile", reconciler.reconcile, 1)
        controller.for_(cluster.model_profiles)
        controller.watches(cluster.model_profiles, profiles_of_profile(cluster))

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set or a part fails; raises the part's error."""
        try:
            await self._manager.run(stop)
        finally:
            await asyncio.to_thread(self._tracing.close)


def _node_of_plan(event: StoreEvent[Manifest]) -> list[Request]:
    return [Request("", event.object["spec"]["node"])]


async def run_operator(options: OperatorOptions) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises what made a part fail."""
    clock = RealClock()
    stop = asyncio.Event()
    configuration = ClientConfiguration.load(options.kubeconfig)
    with stopping_on_signals(stop), closing(process_metrics("operator", options.otlp_metrics_endpoint)) as metrics:
        async with (
            Client(configuration, clock=clock, user_agent=USER_AGENT, meter=metrics.meter) as client,
            reviewing_client(configuration, metrics, clock, USER_AGENT) as reviews,
        ):
            await Operator(options, configuration, client, clock, metrics=metrics, reviews=reviews).run(stop)
