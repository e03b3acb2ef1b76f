"""The claim flow on an API server in memory: an operator that can be killed and started again, and its watch."""

from types import SimpleNamespace
from typing import cast

from controller.binding.isolation import ResourceIsolator
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.gpu_partition_claim.context import ClaimContext
from controller.reconcilers.gpu_partition_claim.controller import ClaimReconciler
from controller.reconcilers.gpu_partition_claim.cycle import PlacementCycle
from controller.reconcilers.scheduler_counts import Timed
from controller.runtime.client.client import Client
from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.runtime.client.errors import ApiError
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.reconcile import Request, Result
from controller.sizing.catalog import Catalog
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)
from controller.state.models import Models
from controller.telemetry.instruments import SCHEDULER_OPERATIONS
from tests.builders.cluster import FedCluster
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.fakes.clock import FakeClock
from tests.fakes.counted import Counted

SIZING = Models(Catalog.bundled())


class Operator:
    """One life of the operator. `show` lets its informers see what is stored.

    Only with a `sizing` of its own do stored ModelProfiles count.
    """

    def __init__(self, api: InMemoryApi, clock: FakeClock, sizing: Models = SIZING) -> None:
        self.api = api
        self.fed = FedCluster(clock)
        self.cluster = self.fed.cluster
        self.woken: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.counting = Counted()
        self.counts = self.counting.counts()
        self.cycle = PlacementCycle(self.cluster, ModelScheduler(), clock, self.woken.append, self.counts)
        recorder = SimpleNamespace(record=lambda regarding, type_, reason, *_: self.told.append((type_, reason)))
        self.context = ClaimContext(
            client=cast("Client", api),
            cluster=self.cluster,
            cycle=self.cycle,
            sizing=sizing,
            isolator=ResourceIsolator(),
            recorder=cast("EventRecorder", recorder),
            clock=clock,
            counts=self.counts,
        )
        self.reconciler = ClaimReconciler(self.context)
        if sizing is not SIZING:
            self.cluster.model_profiles.add_handler(sizing.take)

    @property
    def counted(self) -> list[tuple[str, ...]]:
        """The operations that were counted, with their results."""
        return self.counting.of(SCHEDULER_OPERATIONS)

    def times(self, what: Timed) -> int:
        """How often that was timed."""
        return sum(dict(self.counts.seconds.rows())[what.value,].counts)

    def show(self) -> None:
        """Every informer learns what is stored now, the nodes' agents being alive."""
        cluster = self.cluster
        for informer, resource in (
            (cluster.nodes, NODES),
            (cluster.gpu_nodes, GPU_NODES),
            (cluster.policies, GPU_SHARING_POLICIES),
            (cluster.plans, REPARTITION_PLANS),
            (cluster.model_profiles, MODEL_PROFILES),
            (cluster.pods, PODS),
            (cluster.resource_claims, RESOURCE_CLAIMS),
            (cluster.claims, GPU_PARTITION_CLAIMS),
        ):
            self.fed.listed(informer, *self.api.of(resource))
        for node in self.api.of(NODES):
            self.fed.beat(node["metadata"]["name"])

    async def reconcile(self, key: str = "team-a/aim-a") -> Result:
        """One reconcile of one claim."""
        namespace, _, name = key.partition("/")
        return await self.reconciler.reconcile(Request(namespace, name))

    async def round(self, *keys: str) -> None:
        """The watch shows, every claim is reconciled, the cycle decides, and those it woke are reconciled."""
        self.show()
        for key in keys or ("team-a/aim-a",):
            await self._retried(key)
        self.show()
        self.cycle.decide(retry=True)
        for key in dict.fromkeys(self.woken):
            await self._retried(key)
        self.woken.clear()

    async def _retried(self, key: str) -> None:
        try:
            await self.reconcile(key)
        except ApiError:
            return  # the queue would bring it again: the next round does
