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
from controller.webhooks.hardware import ManagedNode, managed_nodes, reach

#: How long a pod waits for caches that are still being filled, seconds; the API server waits 5.
SYNC_SECONDS = 3.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Offer:
    """A node that would take the pod. `naming` None: its device plugin has never advertised anything."""

    node: ManagedNode
    binding: Binding
    naming: Naming | None

    @property
    def changes(self) -> bool:
        """Whether the node's GPUs may be put into other modes without a person."""
        return self.node.policy is not None and self.node.policy.spec.repartition.enabled


@dataclass(frozen=True, slots=True)
class Want:
    """What a pod needs: bytes in one partition, and the modes it accepts, empty for any."""

    bytes: int
    modes: frozenset[Mode]


@dataclass(frozen=True, slots=True, order=True)
class Option:
    """A way to serve a pod, the better the smaller: without a mode change, in the smallest partition, by name."""

    changes: bool
    bytes: int
    resource: str


def choose(offers: Iterable[Offer], want: Want) -> str | None:
    """The extended resource to ask for, "" for a ResourceClaim; None without offers.

    ResourceClaims go before where a node with them can serve the pod. When nothing fits placement will say why.
    """
    by_claim = [offer for offer in offers if offer.binding is Binding.DRA]
    by_plugin = [offer for offer in offers if offer.binding is Binding.DEVICE_PLUGIN]
    if any(next(_options(offer, want), None) for offer in by_claim):
        return ""
    best = min((option for offer in by_plugin for option in _options(offer, want)), default=None)
    if best is not None:
        return best.resource
    if by_claim:
        return ""
    return _for_later(by_plugin, want) if by_plugin else None


def _options(offer: Offer, want: Want) -> Iterator[Option]:
    present = {gpu.mode for gpu in offer.node.gpus}
    for text, found in reach((offer.node,)).items():
        mode = Mode.parse(text)
        wanted = not want.modes or mode in want.modes
        if wanted and found.bytes >= want.bytes and (text in present or offer.changes):
            yield Option(text not in present, found.bytes, resource_name(mode, offer.naming or Naming.SINGLE))


def _for_later(offers: list[Offer], want: Want) -> str:
    """The resource of a pod that fits nowhere now: of the mode it asked for, else of the largest partitions."""
    if all(offer.naming is not Naming.MIXED for offer in offers):
        return SINGLE_NAME
    if want.modes:
        return resource_name(min(want.modes), Naming.MIXED)
    sizes = [option for offer in offers for option in _options(offer, Want(0, frozenset()))]
    return max(sizes, key=lambda option: (option.bytes, option.resource)).resource if sizes else SINGLE_NAME


class PodBinding:
    """Decides for each pod at CREATE, on the operator's caches."""

    def __init__(self, cluster: Cluster, sizing: ModelSizingConfig) -> None:
        self._cluster = cluster
        self._sizing = sizing

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
        want = Want(self._bytes(namespace, labels, request), request.modes)
        chosen = choose(tuple(self._offers(namespace, request)), want)
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

    def _offers(self, namespace: str, request: PodRequest) -> Iterator[Offer]:
        for node in managed_nodes(self._cluster):
            host = self._cluster.host_table.get(node.name)
            if host is not None and self._admits(node.policy, namespace, request):
                binding = binding_of(node.policy, dra_served=self._cluster.dra_served)
                yield Offer(node, binding, naming_of(host.devices))

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
