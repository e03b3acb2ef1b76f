"""Pods as a table: views by key, who uses how much of a node, and which pods take devices past us."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api.v1beta1 import GPUPartitionClaim
from controller.placement.demand import Resources
from controller.runtime.cache.store import StoreEvent
from controller.runtime.objects.pod import Pod
from controller.translate.pod import PodView, claim_name, pod_view, requests
from controller.translate.pod_profiles import mounted_map


def claim_index(pod: Pod) -> Iterable[str]:
    """Index of pods by `namespace/claim`."""
    name = claim_name(pod)
    return (f"{pod.metadata.namespace}/{name}",) if name else ()


def profiles_index(pod: Pod) -> Iterable[str]:
    """Index of pods by `namespace/name` of the ConfigMap that they mount for their AIM profiles."""
    name = mounted_map(pod.spec)
    return (f"{pod.metadata.namespace}/{name}",) if name else ()


@dataclass(frozen=True, slots=True)
class _Row:
    view: PodView
    resources: Resources


class PodTable:
    """Follows the pod informer and keeps sums that a snapshot needs, so that a snapshot need not visit every pod."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._used: dict[str, Resources] = defaultdict(Resources)
        self._on_plugin: dict[str, dict[str, PodView]] = defaultdict(dict)
        self._touched: set[str] = set()

    def take(self, event: StoreEvent[Pod]) -> None:
        """Apply one informer event."""
        old = self._rows.pop(event.key, None)
        if old is not None:
            self._count(event.key, old, -1)
        row = _Row(pod_view(event.new), requests(event.new.spec)) if event.new is not None else None
        if row is not None:
            self._rows[event.key] = row
            self._count(event.key, row, 1)
        before, after = _counted(old), _counted(row)
        if before != after:
            self._touched |= {each[0] for each in (before, after) if each is not None}

    def _count(self, key: str, row: _Row, sign: int) -> None:
        view = row.view
        if view.node is None or view.terminal:
            return
        used = self._used[view.node]
        self._used[view.node] = used.plus(row.resources) if sign > 0 else used.minus(row.resources)
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

    def plugin_pods(self, node: str) -> int:
        """How many live pods on a node hold devices through AMD's device plugin, past any ResourceClaim."""
        return len(self._on_plugin.get(node, ()))

    def on_plugin(self, node: str) -> Mapping[str, PodView]:
        """Those pods by `namespace/name`."""
        return self._on_plugin.get(node, {})


def _counted(row: _Row | None) -> tuple[str, Resources, Mapping[str, int], str | None] | None:
    """What of a pod counts on which node; None for one that counts on none."""
    if row is None or row.view.node is None or row.view.terminal:
        return None
    return row.view.node, row.resources, row.view.devices, row.view.claim
