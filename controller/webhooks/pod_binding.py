"""By what a pod asks for its GPU: a ResourceClaim, or which extended resource of AMD's device plugin.

What a pod asks for is final when it is created, so the webhook decides it from what is known then: the policies, the
nodes they govern, what these advertise, and how much memory the model needs. Who is free at the moment does not count:
pods of one template should ask alike.

    request -> offers (the nodes that would take the pod) -> `choose` (pure) -> "" (a ResourceClaim) or a resource
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from api.group import SERVICE_LABEL
from api.quantity import parse_quantity
from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_partition_claim import Binding
from controller.binding.device_plugin import SINGLE_NAME
from controller.sizing.errors import SizingError
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.translate.binding import binding_of
from controller.translate.request import PodRequest
from controller.webhooks.hardware import managed_node
from controller.webhooks.resource_choice import Offer, Want, choose, offer_of

#: How long a pod waits for caches that are still being filled, seconds; the API server waits 5.
SYNC_SECONDS = 3.0
_LOOK_SECONDS = 0.05


class PodBinding:
    """Decides for each pod at CREATE, on the operator's caches."""

    def __init__(self, cluster: Cluster, sizing: Models) -> None:
        self._cluster = cluster
        self._sizing = sizing
        # by node, as long as nothing changes there: of a thousand nodes each pod would wait 0.2 s
        self._offers: dict[str, Offer | None] = {}
        self._served = cluster.dra_served
        cluster.nodes.add_handler(lambda event: self._forget(event.key))
        cluster.gpu_nodes.add_handler(lambda event: self._forget(event.key))
        cluster.policies.add_handler(lambda _: self._offers.clear())

    def _forget(self, node: str) -> None:
        self._offers.pop(node, None)

    async def known(self) -> bool:
        """Wait, for 3 s at most, until the caches hold what the decision needs; False when they do not yet."""
        clock = self._cluster.clock
        until = clock.monotonic() + SYNC_SECONDS
        while not self._synced():
            if clock.monotonic() >= until:
                return False
            await clock.sleep(_LOOK_SECONDS)
        return True

    def _synced(self) -> bool:
        cluster = self._cluster
        if not cluster.policies.synced or cluster.resource_claims.served is None:
            return False
        return not self._plugin_possible() or all(
            informer.synced
            for informer in (
                cluster.nodes,
                cluster.gpu_nodes,
                cluster.namespaces,
                cluster.services,
                cluster.model_profiles,
            )
        )

    def _plugin_possible(self) -> bool:
        served = self._cluster.dra_served
        policies = (None, *self._cluster.policy_table.values())
        return any(binding_of(policy, dra_served=served) is Binding.DEVICE_PLUGIN for policy in policies)

    def resource(self, namespace: str, labels: Mapping[str, str], request: PodRequest) -> str:
        """The extended resource that the pod must ask for; "" when it must name a ResourceClaim."""
        if not self._plugin_possible():
            return ""
        if self._served is not self._cluster.dra_served:
            self._served = self._cluster.dra_served
            self._offers.clear()
        chosen = choose(self._offers_for(namespace, request), self._want(namespace, labels, request))
        return self._without_nodes(namespace, request) if chosen is None else chosen

    def count(self, namespace: str, labels: Mapping[str, str]) -> int:
        """How many devices the pod must ask for: one for each partition that its service wants."""
        service = self._cluster.service_table.get(f"{namespace}/{labels.get(SERVICE_LABEL, '')}")
        return service.spec.gpu_sharing.partition.count if service is not None else 1

    def _want(self, namespace: str, labels: Mapping[str, str], request: PodRequest) -> Want:
        """What the claim will ask for; 0 bytes when the model cannot be sized, and then nothing is placed."""
        service = self._cluster.service_table.get(f"{namespace}/{labels.get(SERVICE_LABEL, '')}")
        partition = service.spec.gpu_sharing.partition if service is not None else None
        least = parse_quantity(partition.min_memory) if partition is not None and partition.min_memory else 0
        try:
            ranks = replace(request.sizing, tensor_parallel=self.count(namespace, labels))
            sizing = self._sizing.size(ranks, request.profile)
        except SizingError:
            return Want(least, request.modes)
        return Want(max(least, sizing.total_bytes), request.modes, sizing.precision)

    def _offers_for(self, namespace: str, request: PodRequest) -> Iterator[Offer]:
        """The offers of all nodes that would take the pod, by name."""
        admitted: dict[str | None, bool] = {}
        for name in sorted(self._cluster.gpu_node_table.keys()):
            offer = self._offer(name)
            if offer is None:
                continue
            policy = offer.policy.metadata.name if offer.policy is not None else None
            if policy not in admitted:
                admitted[policy] = self._admits(offer.policy, namespace, request)
            if admitted[policy]:
                yield offer

    def _offer(self, name: str) -> Offer | None:
        """What the node offers; None for one that is not managed, or is gone."""
        if name not in self._offers:
            self._offers[name] = self._fresh_offer(name)
        return self._offers[name]

    def _fresh_offer(self, name: str) -> Offer | None:
        cluster = self._cluster
        host, node = cluster.host_table.get(name), managed_node(cluster, name)
        if host is None or node is None:
            return None
        return offer_of(node, binding_of(node.policy, dra_served=cluster.dra_served), host.devices)

    def _admits(self, policy: GPUSharingPolicy | None, namespace: str, request: PodRequest) -> bool:
        """Whether the pod may use nodes under the policy; a namespace not known yet is not held against it."""
        if policy is None:
            return request.policy is None
        labels = self._cluster.namespace_labels.get(namespace)
        asked = request.policy in (None, policy.metadata.name)
        return asked and (labels is None or policy.spec.namespace_selector.matches(labels))

    def _without_nodes(self, namespace: str, request: PodRequest) -> str:
        """Before any node is there, what the policies for the namespace agree on, else what holds without one."""
        served = self._cluster.dra_served
        policies = [one for one in self._cluster.policy_table.values() if self._admits(one, namespace, request)]
        bindings = {binding_of(policy, dra_served=served) for policy in policies}
        agreed = bindings.pop() if len(bindings) == 1 else binding_of(None, dra_served=served)
        return SINGLE_NAME if agreed is Binding.DEVICE_PLUGIN else ""
