"""The cluster as informers show it, joined into the snapshot that decisions are made on."""

from collections.abc import Mapping
from typing import Any

from api.group import PROFILES_LABEL, SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim, GPUSharingPolicy, InferenceService, RepartitionPlan
from controller.placement.snapshot import Snapshot
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest, key_of, labels_of
from controller.runtime.objects.lease import Lease
from controller.runtime.objects.metadata import PartialObject
from controller.runtime.objects.node import Node as NodeObject
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.replica_set import ReplicaSet
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.runtime.objects.resource_slice import ResourceSlice
from controller.state.assumptions import Assumptions
from controller.state.claim_indexes import claim_namespace, claim_node
from controller.state.claimed import ClaimedBytes
from controller.state.fleet import Fleet
from controller.state.heartbeats import Heartbeats
from controller.state.held_devices import HeldDevices
from controller.state.inventories import Inventories
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)
from controller.state.kserve import KServe, kserve_index
from controller.state.leaving import Leaving
from controller.state.model_names import ModelNames
from controller.state.nominations import Nominations
from controller.state.plans import Plans
from controller.state.pods import PodTable, claim_index, profiles_index, service_index, set_index
from controller.state.priorities import Priorities
from controller.state.products import Products
from controller.state.profile_maps import ProfileMaps
from controller.state.revisions import Revisions
from controller.state.served import ServedInformer
from controller.state.shared_fields import reading
from controller.state.table import Table
from controller.state.update_places import UpdatePlaces
from controller.state.wanted import WantedPods
from controller.translate.node import host_view
from controller.translate.pod import PodView
from controller.translate.resource_claim import resource_claim_view

#: Label on the agents' Leases.
AGENT_LABEL = "aim.amd.com/agent"

_POD_INDEXES = {
    "claim": claim_index,
    "kserve": kserve_index,
    "profiles": profiles_index,
    "service": service_index,
    "set": set_index,
}
_CLAIM_INDEXES = {"namespace": claim_namespace, "node": claim_node}


class Cluster:
    """Owns the informers. `snapshot` is synchronous: between two awaits nothing moves."""

    def __init__(self, client: Client, clock: Clock, *, system_namespace: str) -> None:
        self.clock = clock
        self.pods = Informer(client, PODS, into=Pod, indexes=_POD_INDEXES, clock=clock)
        self.nodes = Informer(client, NODES, into=NodeObject, clock=clock)
        inventories = Inventories()
        self.gpu_nodes = Informer(client, GPU_NODES, project=inventories.share, clock=clock)
        self.claims = Informer(client, GPU_PARTITION_CLAIMS, indexes=_CLAIM_INDEXES, clock=clock)
        self.resource_claims = ServedInformer(client, RESOURCE_CLAIMS, into=ResourceClaim, clock=clock)
        self.resource_slices = ServedInformer(client, RESOURCE_SLICES, into=ResourceSlice, clock=clock)
        self.policies = Informer(client, GPU_SHARING_POLICIES, clock=clock)
        self.plans = Informer(client, REPARTITION_PLANS, clock=clock)
        self.model_profiles = Informer(client, MODEL_PROFILES, clock=clock)
        self.services = Informer(client, INFERENCE_SERVICES, clock=clock)
        self.deployments = Informer(client, DEPLOYMENTS, label_selector=SERVICE_LABEL, clock=clock)
        self.profile_maps = Informer(
            client, CONFIG_MAPS, into=PartialObject, label_selector=PROFILES_LABEL, clock=clock
        )
        self.written_maps = ProfileMaps(self.profile_maps.store)
        self.replica_sets = Informer(client, REPLICA_SETS, into=ReplicaSet, clock=clock)
        self.namespaces = Informer(client, NAMESPACES, clock=clock)
        self.leases = Informer(
            client, LEASES, into=Lease, namespace=system_namespace, label_selector=f"{AGENT_LABEL}=true", clock=clock
        )
        self.kserve = KServe(client, clock)
        self.assumptions = Assumptions()
        self.heartbeats = Heartbeats(clock)
        self.products = Products()
        self.revisions = Revisions()
        self.wanted_pods = WantedPods()
        self.update_places = UpdatePlaces()
        self.pod_table = PodTable()
        self.nominations = Nominations(self.pod_table)
        self.leaving = Leaving(self.pod_table, self.nominations, clock)
        self.claimed_bytes = ClaimedBytes()
        self.priorities = Priorities()
        self.host_table = Table(host_view)
        self.gpu_node_table = Table(inventories.read)
        self.claim_table = Table(reading(GPUPartitionClaim))
        self.resource_claim_table = Table(resource_claim_view)
        self.policy_table = Table(GPUSharingPolicy.model_validate)
        self.service_table = Table(InferenceService.model_validate)
        self.model_names = ModelNames()
        self.namespace_labels: Table[Manifest, Mapping[str, str]] = Table(labels_of)
        self.plan_table = Plans(RepartitionPlan.model_validate)
        self.fleet = Fleet(self)
        self.assumptions.on_change(self.fleet.assumption_changed)
        self._follow()

    def _follow(self) -> None:
        self.pods.add_handler(self.pod_table.take)
        self.pods.add_handler(self.leaving.take)
        self.pods.add_handler(self.priorities.take)
        self.nodes.add_handler(self.host_table.take)
        self.gpu_nodes.add_handler(self.gpu_node_table.take)
        self.gpu_nodes.add_handler(self.products.take)
        self.claims.add_handler(self.claim_table.take)
        self.claims.add_handler(self._confirm_assumption)
        self.claims.add_handler(self.nominations.take)
        self.claims.add_handler(self.claimed_bytes.take)
        self.resource_claims.add_handler(self.resource_claim_table.take)
        self.policies.add_handler(self.policy_table.take)
        self.services.add_handler(self.service_table.take)
        self.services.add_handler(self.model_names.take)
        self.services.add_handler(self.update_places.take)
        self.replica_sets.add_handler(self.revisions.take)
        self.replica_sets.add_handler(self.wanted_pods.take)
        self.namespaces.add_handler(self.namespace_labels.take)
        self.plans.add_handler(self.plan_table.take)
        self.leases.add_handler(self.heartbeats.take)
        self._keep_nodes()

    def _keep_nodes(self) -> None:
        """Behind the tables, which it reads."""
        self.pods.add_handler(self.fleet.take_pod)
        self.nodes.add_handler(self.fleet.take_node)
        self.gpu_nodes.add_handler(self.fleet.take_gpu_node)
        self.claims.add_handler(self.fleet.take_claim)
        self.resource_claims.add_handler(self.fleet.take_resource_claim)
        self.policies.add_handler(self.fleet.take_policy)
        self.namespaces.add_handler(self.fleet.take_namespace)
        self.leases.add_handler(self.fleet.take_lease)

    @property
    def informers(self) -> tuple[Informer[Any], ...]:
        """The informers of what is always served, for the manager to run; `kserve` runs its own."""
        return (
            self.namespaces,
            self.nodes,
            self.leases,
            self.gpu_nodes,
            self.policies,
            self.model_profiles,
            self.plans,
            self.claims,
            self.resource_claims,
            self.resource_slices,
            self.services,
            self.deployments,
            self.profile_maps,
            self.replica_sets,
            self.pods,
        )

    def _confirm_assumption(self, event: StoreEvent[Manifest]) -> None:
        """An assumption ends when its claim shows that very partition, or is gone, or is another claim of that name."""
        assumed = self.assumptions.get(event.key)
        if assumed is None:
            return
        claim = self.claim_table.get(event.key)
        if claim is None or claim.metadata.uid != assumed.claim_uid or assumed.shown_by(claim):
            self.assumptions.forget(event.key)

    @property
    def dra_served(self) -> bool:
        """Whether the API server has ResourceClaims; taken for granted until it has answered once."""
        return self.resource_claims.served is not False

    def claims_in(self, namespace: str) -> list[GPUPartitionClaim]:
        """The claims of one namespace."""
        found = (self.claim_table.get(key_of(raw)) for raw in self.claims.store.by_index("namespace", namespace))
        return [claim for claim in found if claim is not None]

    def pods_by(self, index: str, value: str) -> list[PodView]:
        """The pods that an index of the informer's has under a value."""
        found = (self.pod_table.view(key_of(pod)) for pod in self.pods.store.by_index(index, value))
        return [pod for pod in found if pod is not None]

    @property
    def held_devices(self) -> HeldDevices:
        """The devices that ResourceClaims of every namespace have."""
        return self.fleet.devices

    def claims_on(self, node: str) -> list[GPUPartitionClaim]:
        """The claims that have a place on one node."""
        found = (self.claim_table.get(key_of(raw)) for raw in self.claims.store.by_index("node", node))
        return [claim for claim in found if claim is not None]

    def snapshot(self) -> Snapshot:
        """One consistent view of nodes, partitions and holders, fresh for this decision."""
        return Snapshot(self.fleet.nodes())
