"""Devices that pods are about to get: the pins of ResourceClaims that nothing is allocated for yet.

Usually our claim says so itself. Somebody may have deleted it while its pod, whose gate is open, still waits for the
scheduler: what the pin names is the pod's all the same, since the scheduler may give it at any moment.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from api.group import ASSIGNED_NODE
from controller.placement.demand import Resources
from controller.placement.node import Gpu
from controller.runtime.cache.informer import Informer
from controller.runtime.manifest import key_of
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.translate.pod import PodView
from controller.translate.resource_claim import Pinned, ResourceClaimView, pinned_in

NOTHING: Final = Resources()
NO_PINS: Final[Mapping[str, "AboutToGet"]] = {}


class Pins(Protocol):
    """What is read; `Cluster` has it all."""

    pods: Informer[Pod]
    pod_table: PodTable
    resource_claim_table: Table[ResourceClaim, ResourceClaimView]


@dataclass(frozen=True, slots=True)
class AboutToGet:
    """What a pod is about to get on `node`, and what it takes there that does not count by its being there yet."""

    node: str
    pinned: Pinned
    unscheduled: Resources

    def among(self, gpu: Gpu) -> tuple[int, ...]:
        """The GPU's partitions, by number, that it is pinned to; none in another mode than the pin's."""
        if gpu.mode.profile != self.pinned.profile:
            return ()
        return tuple(one.id.index for one in gpu.partitions if one.render_index in self.pinned.indices)


class PinnedDevices:
    """By node the pins that nobody else tells of. `update` whenever a ResourceClaim, its pod or our claim changed."""

    def __init__(self, world: Pins) -> None:
        self._world = world
        self._by_claim: dict[str, AboutToGet] = {}
        self._by_node: dict[str, dict[str, AboutToGet]] = defaultdict(dict)

    def update(self, key: str, *, told: bool) -> frozenset[str]:
        """Read the ResourceClaim `namespace/name` anew; the nodes where that counts otherwise than before.

        `told`: our claim of that name has a place, which is what counts then.
        """
        before, after = self._by_claim.get(key), None if told else self._read(key)
        if before == after:
            return frozenset()
        if before is not None:
            del self._by_claim[key]
            del self._by_node[before.node][key]
        if after is not None:
            self._by_claim[key] = self._by_node[after.node][key] = after
        return frozenset(each.node for each in (before, after) if each is not None)

    def on(self, node: str) -> Mapping[str, AboutToGet]:
        """What pods are about to get on a node, by their claims."""
        return self._by_node.get(node, NO_PINS)

    def unscheduled(self, node: str, assumed: Collection[str]) -> Resources:
        """What those pods will take of the node that the scheduler has not placed yet; `assumed` claims count so."""
        total = NOTHING
        for key, each in self.on(node).items():
            total = total if key in assumed else total.plus(each.unscheduled)
        return total

    def _read(self, key: str) -> AboutToGet | None:
        claim = self._world.resource_claim_table.get(key)
        if claim is None or claim.allocated or claim.deleting:
            return None
        pod = self._pod_of(claim)
        node = pod.annotations.get(ASSIGNED_NODE) if pod is not None else None
        pinned = pinned_in(claim.spec) if node else None
        if pod is None or not node or pinned is None:
            return None
        resources = self._world.pod_table.resources(f"{pod.namespace}/{pod.name}") or NOTHING
        return AboutToGet(node, pinned, resources if pod.node is None else NOTHING)

    def _pod_of(self, claim: ResourceClaimView) -> PodView | None:
        """The live pod that owns the claim and may go; one that our gate holds is decided for anew."""
        for pod in self._world.pods.store.by_index("claim", claim.key):
            view = self._world.pod_table.view(key_of(pod))
            if view is not None and view.uid == claim.owner_uid and not view.gated and not view.terminal:
                return view
        return None
