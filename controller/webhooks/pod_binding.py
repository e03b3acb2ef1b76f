"""By what a pod asks for its GPU: a ResourceClaim, or which extended resource of AMD's device plugin.

What a pod asks for is final when it is created, so the webhook decides it from what is known then: the policies, the
nodes they govern, what these advertise, and how much memory the model needs. Who is free at the moment does not count:
pods of one template should ask alike.

    request -> offers (the nodes that would take the pod) -> `choose`, pure -> "" (a ResourceClaim) or a resource
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from api.group import SERVICE_LABEL
from api.quantity import parse_quantity
from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_partition_claim import Binding
from controller.binding.device_plugin import SINGLE_NAME, Naming, naming_of, resource_name
from controller.gpu.mode import Mode
from controller.sizing.errors import SizingError
from controller.sizing.requirement import ModelSizingConfig
from controller.state.cluster import Cluster
from controller.translate.binding import binding_of
from controller.translate.request import PodRequest
from controller.webhooks.hardware import ManagedNode, managed_node, reach

#: How long a pod waits for caches that are still being filled, seconds; the API server waits 5.
SYNC_SECONDS = 3.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Want:
    """What a pod needs: bytes in one partition, and the modes it accepts, empty for any."""

    bytes: int
    modes: frozenset[Mode]


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A way to serve a pod, the better the smaller: without a mode change, in the smallest partition, by name."""

    changes: bool
    bytes: int
    resource: str
    mode: Mode

    def suits(self, want: Want) -> bool:
        """Whether the partition is large enough, and in a mode that the pod accepts."""
        return self.bytes >= want.bytes and (not want.modes or self.mode in want.modes)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a node under `policy` has for pods. `naming` None: its device plugin has never advertised anything."""

    policy: GPUSharingPolicy | None
    binding: Binding
    naming: Naming | None
    ways: tuple[Way, ...]


def offer_of(node: ManagedNode, binding: Binding, naming: Naming | None) -> Offer:
    """The node's modes, and those that its policy lets its GPUs be put into without a person."""
    present = {gpu.mode for gpu in node.gpus}
    changeable = node.policy is not None and node.policy.spec.repartition.enabled
    ways = []
    for text, found in reach((node,)).items():
        if text in present or changeable:
            mode = Mode.parse(text)
            ways.append(Way(text not in present, found.bytes, resource_name(mode, naming or Naming.SINGLE), mode))
    return Offer(node.policy, binding, naming, tuple(sorted(ways)))


def choose(offers: Iterable[Offer], want: Want) -> str | None:
    """The extended resource to ask for, "" for a ResourceClaim; None without offers.

    ResourceClaims go before where a node with them can serve the pod. When nothing fits placement will say why.
    """
    by_plugin: list[Offer] = []
    by_claim = False
    for offer in offers:
        if offer.binding is Binding.DEVICE_PLUGIN:
            by_plugin.append(offer)
        elif any(way.suits(want) for way in offer.ways):
            return ""
        else:
            by_claim = True
    best = min((way for offer in by_plugin for way in offer.ways if way.suits(want)), default=None)
    if best is not None:
        return best.resource
    if by_claim:
        return ""
    return _for_later(by_plugin, want) if by_plugin else None


def _for_later(offers: Iterable[Offer], want: Want) -> str:
    """The resource of a pod that fits nowhere now: of the mode it asked for, else of the largest partitions."""
    mixed = [offer for offer in offers if offer.naming is Naming.MIXED]
    if not mixed:
        return SINGLE_NAME
    if want.modes:
        return resource_name(min(want.modes), Naming.MIXED)
    ways = [way for offer in mixed for way in offer.ways]
    return max(ways, key=lambda way: (way.bytes, way.resource)).resource if ways else SINGLE_NAME


class PodBinding:
    """Decides for each pod at CREATE, on the operator's caches."""

    def __init__(self, cluster: Cluster, sizing: ModelSizingConfig) -> None:
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
            informer.synced for informer in (cluster.nodes, cluster.gpu_nodes, cluster.namespaces, cluster.services)
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
        want = Want(self._bytes(namespace, labels, request), request.modes)
        chosen = choose(self._offers_for(namespace, request), want)
        return self._without_nodes(namespace, request) if chosen is None else chosen

    def _bytes(self, namespace: str, labels: Mapping[str, str], request: PodRequest) -> int:
        """What the claim will ask for; 0 when the model cannot be sized, and then nothing is placed."""
        service = self._cluster.service_table.get(f"{namespace}/{labels.get(SERVICE_LABEL, '')}")
        partition = service.spec.gpu_sharing.partition if service is not None else None
        least = parse_quantity(partition.min_memory) if partition is not None and partition.min_memory else 0
        try:
            return max(least, self._sizing.size(request.sizing).total_bytes)
        except SizingError:
            return least

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
        return offer_of(node, binding_of(node.policy, dra_served=cluster.dra_served), naming_of(host.devices))

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
