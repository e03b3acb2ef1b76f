"""Pods as a table: views by key, who uses how much of a node, and which pods take devices past us."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from api.group import SERVICE_LABEL
from api.v1beta1 import GPUPartitionClaim
from controller.placement.demand import Resources
from controller.placement.peers import Peer, PodRules
from controller.runtime.cache.store import StoreEvent
from controller.runtime.objects.pod import Pod
from controller.translate.pod import PodView, claim_name, controller_of, pod_view, requests
from controller.translate.pod_profiles import mounted_map
from controller.translate.pod_rules import pod_rules

REPLICA_SET: Final = "ReplicaSet"


def claim_index(pod: Pod) -> Iterable[str]:
    """Index of pods by `namespace/claim`."""
    name = claim_name(pod)
    return (f"{pod.metadata.namespace}/{name}",) if name else ()


def profiles_index(pod: Pod) -> Iterable[str]:
    """Index of pods by `namespace/name` of the ConfigMap that they mount for their AIM profiles."""
    name = mounted_map(pod.spec)
    return (f"{pod.metadata.namespace}/{name}",) if name else ()


def service_index(pod: Pod) -> Iterable[str]:
    """Index of pods by `namespace/name` of the InferenceService that they are labelled with."""
    name = pod.metadata.labels.get(SERVICE_LABEL)
    return (f"{pod.metadata.namespace}/{name}",) if name else ()


def set_index(pod: Pod) -> Iterable[str]:
    """Index of pods with a claim by `namespace/name` of the ReplicaSet that stands for them."""
    owner = controller_of(pod.metadata.owner_references)
    if owner is None or owner[0] != REPLICA_SET or claim_name(pod) is None:
        return ()
    return (f"{pod.metadata.namespace}/{owner[1]}",)


@dataclass(frozen=True, slots=True)
class _Row:
    view: PodView
    resources: Resources
    rules: PodRules

    @property
    def peer(self) -> Peer:
        view, rules = self.view, self.rules
        claim = f"{view.namespace}/{view.claim}" if view.claim is not None else ""
        return Peer(claim, view.namespace, view.labels, rules.repels, rules.ports, view.deleting)


class PodTable:
    """Follows the pod informer and keeps sums that a snapshot needs, so that a snapshot need not visit every pod."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._used: dict[str, Resources] = defaultdict(Resources)
        self._on_plugin: dict[str, dict[str, PodView]] = defaultdict(dict)
        self._on_node: dict[str, set[str]] = defaultdict(set)
        self._peers: dict[str, tuple[Peer, ...]] = {}
        self._touched: set[str] = set()

    def take(self, event: StoreEvent[Pod]) -> None:
        """Apply one informer event."""
        old = self._rows.pop(event.key, None)
        if old is not None:
            self._count(event.key, old, -1)
        row = _row(event.new) if event.new is not None else None
        if row is not None:
            self._rows[event.key] = row
            self._count(event.key, row, 1)
        before, after = _counted(old), _counted(row)
        if before != after:
            for node in {each[0] for each in (before, after) if each is not None}:
                self._touched.add(node)
                self._peers.pop(node, None)

    def _count(self, key: str, row: _Row, sign: int) -> None:
        view = row.view
        if view.node is None or view.terminal:
            return
        used = self._used[view.node]
        self._used[view.node] = used.plus(row.resources) if sign > 0 else used.minus(row.resources)
        if sign > 0:
            self._on_node[view.node].add(key)
        else:
            self._on_node[view.node].discard(key)
            if not self._on_node[view.node]:
                del self._on_node[view.node]
        if not view.devices:
            return
        if sign > 0:
            self._on_plugin[view.node][key] = view
        else:
            del self._on_plugin[view.node][key]

    def touched(self) -> frozenset[str]:
        """The nodes on which other pods count, or count otherwise, than when this was asked last."""
        touched, self._touched = self._touched, set()
        return frozenset(touched)

    def view(self, key: str) -> PodView | None:
        """The pod of `namespace/name`, None when it is not there."""
        row = self._rows.get(key)
        return row.view if row else None

    def of_claim(self, claim: GPUPartitionClaim) -> PodView | None:
        """The claim's pod, by uid: a later one of its name is another's. None for a share group's claim."""
        wanted = claim.spec.pod_ref
        view = self.view(f"{claim.metadata.namespace}/{wanted.name}") if wanted is not None else None
        return view if view is not None and wanted is not None and view.uid == wanted.uid else None

    def resources(self, key: str) -> Resources | None:
        """What the pod requests, None when it is not there."""
        row = self._rows.get(key)
        return row.resources if row else None

    def used(self, node: str) -> Resources:
        """What live pods on a node request."""
        return self._used.get(node, Resources())

    def on_node(self, node: str) -> frozenset[str]:
        """The uids of live pods on a node."""
        return frozenset(self._rows[key].view.uid for key in self._on_node.get(node, ()))

    def deleting_on(self, node: str) -> frozenset[str]:
        """The uids of those of them that are on their way out."""
        views = (self._rows[key].view for key in self._on_node.get(node, ()))
        return frozenset(view.uid for view in views if view.deleting)

    def peers(self, node: str) -> tuple[Peer, ...]:
        """Live pods on a node, as other pods see them. Made for nodes that are asked for, and kept."""
        found = self._peers.get(node)
        if found is None:
            found = tuple(self._rows[key].peer for key in sorted(self._on_node.get(node, ())))
            self._peers[node] = found
        return found

    def peer(self, key: str) -> Peer | None:
        """The pod `namespace/name` as other pods see it, None when it is not there."""
        row = self._rows.get(key)
        return row.peer if row is not None else None

    def plugin_pods(self, node: str) -> int:
        """How many live pods on a node hold devices through AMD's device plugin, past any ResourceClaim."""
        return len(self._on_plugin.get(node, ()))

    def on_plugin(self, node: str) -> Mapping[str, PodView]:
        """Those pods by `namespace/name`."""
        return self._on_plugin.get(node, {})


def _row(pod: Pod) -> _Row:
    return _Row(pod_view(pod), requests(pod.spec), pod_rules(pod))


def _counted(row: _Row | None) -> tuple[str, Resources, Mapping[str, int], Peer] | None:
    """What of a pod counts on which node; None for one that counts on none."""
    if row is None or row.view.node is None or row.view.terminal:
        return None
    return row.view.node, row.resources, row.view.devices, row.peer
