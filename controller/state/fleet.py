"""The nodes as snapshots have them: joined from everything that is known, and joined anew where that changed.

Each event marks the node that it is about, and where it can the GPUs. What changes with time alone (a heartbeat that
stays away, a pause after a mode change, a window) and the few tables that are small are compared at each snapshot.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from api.v1beta1 import GPUNode, GPUPartitionClaim, GPUSharingPolicy
from api.v1beta1.gpu_partition_claim import Binding
from controller.binding.device_plugin import naming_of
from controller.gpu.identity import PartitionId
from controller.placement.node import Awaited, Gpu, Holder, Node, PolicyView, Reservation
from controller.placement.nodes import Nodes
from controller.placement.peers import Peer
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest, key_of
from controller.runtime.objects.lease import Lease
from controller.runtime.objects.node import Node as NodeObject
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.state.assumptions import Assumptions
from controller.state.claimed import ClaimedBytes, with_assumed
from controller.state.heartbeats import Heartbeats
from controller.state.held import HeldByClaims, our_holder
from controller.state.held_devices import HeldDevices
from controller.state.nominations import Nominations
from controller.state.operations import changed_at, under_operation
from controller.state.pinned_devices import PinnedDevices
from controller.state.plans import NO_PLANS, NodePlans, Plans
from controller.state.plugin_holdings import PluginHoldings, plugin_holdings
from controller.state.pods import PodTable
from controller.state.table import Table
from controller.state.update_places import UpdatePlaces
from controller.translate.binding import binding_of
from controller.translate.node import READS_ONLY, HostView, gpus, under_resources
from controller.translate.pod import TERMINAL_PHASES, claim_name
from controller.translate.policy import policy_for, policy_view
from controller.translate.resource_claim import ResourceClaimView


class World(Protocol):
    """What is joined; `Cluster` has it all."""

    clock: Clock
    pods: Informer[Pod]
    pod_table: PodTable
    host_table: Table[NodeObject, HostView]
    gpu_node_table: Table[Manifest, GPUNode]
    claim_table: Table[Manifest, GPUPartitionClaim]
    resource_claim_table: Table[ResourceClaim, ResourceClaimView]
    policy_table: Table[Manifest, GPUSharingPolicy]
    namespace_labels: Table[Manifest, Mapping[str, str]]
    plan_table: Plans
    assumptions: Assumptions
    heartbeats: Heartbeats
    nominations: Nominations
    update_places: UpdatePlaces
    claimed_bytes: ClaimedBytes

    @property
    def dra_served(self) -> bool:
        """Whether the API server has ResourceClaims."""


NOBODY: Final[Mapping[int, Holder]] = {}
NO_CLAIMS: Final[Mapping[int, Mapping[str, Holder]]] = {}


@dataclass(frozen=True, slots=True)
class _Rule:
    """What rules a node: a policy, None for none, and whether the device plugin hands its GPUs out."""

    policy: GPUSharingPolicy | None
    plugin: bool


class Fleet:
    """Keeps the nodes. Its handlers go behind those of the tables that it reads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held = HeldByClaims(world)
        self.devices = HeldDevices()
        self._pinned = PinnedDevices(world)
        self._nodes = Nodes()
        self._marked: dict[str, set[str] | None] = {}
        self._reported: dict[str, tuple[str, tuple[Gpu, ...]]] = {}
        self._rules: dict[str, _Rule] = {}
        self._policies = _Policies(world)
        self._cooling: set[str] = set()
        self._plans: Mapping[str, NodePlans] = {}
        self._plans_seen = -1
        self._kept: Mapping[str, _Kept] = {}
        self._for_updates: Mapping[str, Mapping[PartitionId, Reservation]] = {}
        self._updates_seen = -1
        self._dra_served: bool | None = None

    # Events.

    def take_pod(self, event: StoreEvent[Pod]) -> None:
        """What a pod takes counts where its claim is, before it is there itself."""
        old, new = event.old, event.new
        if old is not None and new is not None and _takes(old) == _takes(new):
            return
        for pod in filter(None, (old, new)):
            name = claim_name(pod)
            if name is not None:
                self._claim_changed(f"{pod.metadata.namespace}/{name}")
                self._assumed_changed(f"{pod.metadata.namespace}/{name}")
        for key in self._held.for_pod(event.key):  # whatever the pod itself says of its claim
            self._claim_changed(key)

    def take_claim(self, event: StoreEvent[Manifest]) -> None:
        """A claim of ours has other partitions, or is there at all: an allocation of its name is ours then."""
        if event.unchanged:
            return
        self._claim_changed(event.key)
        if event.old is None or event.new is None:
            for pool in self.devices.pools(event.key):
                self._mark(pool, None)

    def take_resource_claim(self, event: StoreEvent[ResourceClaim]) -> None:
        """Somebody has other devices."""
        for pool in self.devices.update(event.key, self._world.resource_claim_table.get(event.key)):
            self._mark(pool, None)
        self._pin_changed(event.key)

    def take_node(self, event: StoreEvent[NodeObject]) -> None:
        """A Node is another one: its labels may put it under another policy."""
        if not event.unchanged:
            self._rules.pop(event.key, None)
            self._mark(event.key)

    def take_gpu_node(self, event: StoreEvent[Manifest]) -> None:
        """An inventory is another one."""
        if not event.unchanged:
            self._mark(event.key, None)

    def take_policy(self, event: StoreEvent[Manifest]) -> None:
        """Any node may be under another policy."""
        if not event.unchanged and (event.old or {}).get("spec") != (event.new or {}).get("spec"):
            self._rules.clear()
            self._policies.stale = True
            self._mark_all()

    def take_namespace(self, event: StoreEvent[Manifest]) -> None:
        """A policy may admit other namespaces."""
        if not event.unchanged:
            self._policies.stale = True

    def take_lease(self, event: StoreEvent[Lease]) -> None:
        """An agent is heard of again, or its Lease is gone."""
        node = self._nodes.get(event.key.rpartition("/")[2])
        if node is not None and node.fresh != self._world.heartbeats.fresh(node.name):
            self._mark(node.name)

    def assumption_changed(self, node: str, partitions: Iterable[PartitionId]) -> None:
        """Something is assumed there, or no longer."""
        self._mark(node, {partition.bdf for partition in partitions})

    def _assumed_changed(self, key: str) -> None:
        assumed = self._world.assumptions.get(key)
        if assumed is not None:
            self._mark(assumed.node)

    def _claim_changed(self, key: str) -> None:
        before, after = self._held.update(key)
        self._pin_changed(key)
        if before == after:
            return
        for held in filter(None, (before, after)):
            self._mark(held.node, {partition.bdf for partition in held.partitions})

    def _pin_changed(self, key: str) -> None:
        for node in self._pinned.update(key, told=self._held.of(key) is not None):
            self._mark(node, None)

    def _mark(self, node: str, bdfs: Collection[str] | None = ()) -> None:
        """Join the node anew, of its GPUs those; None for all of them."""
        if bdfs is None:
            self._marked[node] = None
        else:
            marked = self._marked.setdefault(node, set())
            if marked is not None:
                marked.update(bdfs)

    def _mark_all(self) -> None:
        for name in self._world.gpu_node_table.keys():  # noqa: SIM118 - a table, no dict
            self._mark(name, None)

    # Snapshots.

    def nodes(self) -> Nodes:
        """The nodes as they are now."""
        now = self._world.clock.now()
        self._compare(now)
        marked, self._marked = self._marked, {}
        joined = {name: self._join(name, bdfs, now) for name, bdfs in marked.items()}
        gone = [name for name, node in joined.items() if node is None]
        for name in gone:
            self._rules.pop(name, None)
            self._reported.pop(name, None)
        self._nodes = self._nodes.changed((node for node in joined.values() if node is not None), gone)
        return self._nodes

    def _compare(self, now: datetime) -> None:
        """Mark the nodes that no event tells of."""
        world = self._world
        for name in (*world.heartbeats.lapsed(), *world.pod_table.touched()):
            self._mark(name)
        if world.dra_served is not self._dra_served:
            self._dra_served = world.dra_served
            self._rules.clear()
            self._mark_all()
        changed = self._policies.renewed(now)
        if changed:
            for name, rule in self._rules.items():
                if rule.policy is not None and rule.policy.metadata.name in changed:
                    self._mark(name)
        for name in self._cooling:
            self._mark(name)
        if world.plan_table.revision != self._plans_seen:
            before, self._plans = self._plans, world.plan_table.by_node()
            self._plans_seen = world.plan_table.revision
            self._mark_differing(before, self._plans)
        if world.update_places.revision != self._updates_seen:
            before_places, self._for_updates = self._for_updates, world.update_places.by_node()
            self._updates_seen = world.update_places.revision
            self._mark_differing(before_places, self._for_updates)
        if self._kept or len(world.nominations):
            before_kept, self._kept = self._kept, _kept(world.nominations)
            self._mark_differing(before_kept, self._kept)

    def _mark_differing(self, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                self._mark(name, None)

    def _join(self, name: str, bdfs: Collection[str] | None, now: datetime) -> Node | None:
        world = self._world
        gpu_node, host = world.gpu_node_table.get(name), world.host_table.get(name)
        if gpu_node is None or host is None or not gpu_node.spec.managed:
            return None
        rule = self._rule(host)
        naming = naming_of(host.devices) if rule.plugin else None
        plugin = self._plugin(name) if rule.plugin or world.pod_table.plugin_pods(name) else None
        by_kubelet = rule.plugin or plugin is not None or bool(self._held.by_plugin(name))
        before = None if by_kubelet else self._nodes.get(name)
        if before is not None and before.plugin:
            before = None
        found = self._gpus(gpu_node, before, bdfs, plugin)
        assumed, kept = world.assumptions.on(name), self._kept.get(name, NOTHING_KEPT)
        used = world.pod_table.used(name).plus(self._held.unscheduled(name))
        used = used.plus(self._pinned.unscheduled(name, {each.claim for each in assumed}))
        for each in assumed:
            used = used.plus(each.resources)
        return Node(
            name=name,
            hostname=host.hostname,
            gpus=found if naming is None else under_resources(found, naming),
            allocatable=host.allocatable,
            used=used,
            labels=host.labels,
            taints=host.taints,
            ready=host.ready,
            unschedulable=host.unschedulable,
            fresh=world.heartbeats.fresh(name),
            paused=gpu_node.spec.paused,
            reads_only=gpu_node.status.backend == READS_ONLY,
            policy=self._view(gpu_node, rule, now),
            pool=name,
            plugin_pods=world.pod_table.plugin_pods(name),
            plugin=rule.plugin,
            naming=naming,
            devices=host.devices,
            unlocated=self._unlocated(name, plugin),
            claimed=with_assumed(world.claimed_bytes, name, found, assumed),
            awaited=kept.awaited,
            peers=self._peers(name),
        )

    def _peers(self, name: str) -> tuple[Peer, ...]:
        """The pods that are there, those that are bound to it, and those of which that is assumed; none twice."""
        world = self._world
        there, bound = world.pod_table.peers(name), self._held.peers(name)
        assumed = world.assumptions.on(name)
        if not bound and not assumed:
            return there
        known = {peer.claim for peer in (*there, *bound)}
        coming = sorted(each.claim for each in assumed if each.claim not in known)
        pods = (pod for claim in coming for pod in sorted(map(key_of, world.pods.store.by_index("claim", claim))))
        return (*there, *bound, *(peer for peer in map(world.pod_table.peer, pods) if peer is not None))

    def _rule(self, host: HostView) -> _Rule:
        rule = self._rules.get(host.name)
        if rule is None:
            policy = policy_for(host.labels, self._world.policy_table.values())
            plugin = binding_of(policy, dra_served=self._world.dra_served) is Binding.DEVICE_PLUGIN
            rule = self._rules[host.name] = _Rule(policy, plugin)
        return rule

    def _view(self, gpu_node: GPUNode, rule: _Rule, now: datetime) -> PolicyView | None:
        name = gpu_node.metadata.name
        self._cooling.discard(name)
        if rule.policy is None:
            return None
        ends = (self._plans.get(name, NO_PLANS).last_change, changed_at(gpu_node))
        last_change = max((end for end in ends if end is not None), default=None)
        view = self._policies.view(rule.policy, last_change, now)
        if view.cooldown_left > 0:
            self._cooling.add(name)
        return view

    def _plugin(self, name: str) -> PluginHoldings:
        found = (self._world.claim_table.get(key) for key in sorted(self._held.by_plugin(name)))
        return plugin_holdings(self._world, [claim for claim in found if claim is not None], [name])

    def _unlocated(self, name: str, plugin: PluginHoldings | None) -> Mapping[str, int]:
        if plugin is None:
            return {}
        counts = plugin.unlocated[name]
        for assumed in self._world.assumptions.on(name):
            if assumed.resource:
                counts[assumed.resource] += len(assumed.partitions)
        return counts

    def _gpus(
        self, gpu_node: GPUNode, before: Node | None, bdfs: Collection[str] | None, plugin: PluginHoldings | None
    ) -> tuple[Gpu, ...]:
        """All GPUs of the node; those that nothing was said about are those of before."""
        name = gpu_node.metadata.name
        reported = self._reported_gpus(gpu_node)
        kept = {} if before is None or bdfs is None else {gpu.bdf: gpu for gpu in before.gpus if gpu.bdf not in bdfs}
        if len(kept) == len(reported):
            return before.gpus if before is not None else ()
        holders = _Holders(self._world, _Records(self._held, self.devices, self._pinned), name, plugin)
        plans, waited = self._plans.get(name, NO_PLANS), self._kept.get(name, NOTHING_KEPT).partitions
        places = {**waited, **self._for_updates.get(name, {}), **plans.reserved}
        joined = tuple(kept.get(gpu.bdf) or _joined(gpu, holders, plans, places) for gpu in reported)
        return under_operation(gpu_node, joined)

    def _reported_gpus(self, gpu_node: GPUNode) -> tuple[Gpu, ...]:
        version, name = gpu_node.metadata.resource_version or "", gpu_node.metadata.name
        known = self._reported.get(name)
        if known is None or known[0] != version:
            known = self._reported[name] = version, gpus(gpu_node)
        return known[1]


@dataclass(frozen=True, slots=True)
class _Records:
    """What our claims have, what the scheduler has allocated, and what it is about to."""

    held: HeldByClaims
    devices: HeldDevices
    pinned: PinnedDevices


class _Holders:
    """Who holds what on one node. What the scheduler has allocated stands: a claim that is bound to the same lost."""

    def __init__(self, world: World, records: _Records, node: str, plugin: PluginHoldings | None) -> None:
        self._world = world
        self._held = records.held
        self._devices = records.devices.in_pool(node)
        self._pins = records.pinned.on(node)
        self._claims = records.held.on(node)
        self._assumed: dict[str, dict[int, Holder]] = {}
        for each in world.assumptions.on(node):
            for number in each.partitions if not each.resource else ():
                on_gpu = self._assumed.setdefault(number.bdf, {})
                on_gpu[number.index] = Holder("ours", each.claim, each.resources)
        self._told: dict[str, dict[int, Holder]] = {}
        for (_, number), holder in plugin.by_partition.items() if plugin is not None else ():
            self._told.setdefault(number.bdf, {})[number.index] = holder

    def of(self, gpu: Gpu) -> Mapping[int, Holder]:
        """By number, who holds the GPU's partitions; those that nobody does are left out."""
        found = dict(self._told.get(gpu.bdf, NOBODY))
        for key, each in self._pins.items():
            found.update(dict.fromkeys(each.among(gpu), self._by_allocation(key)))
        for number, claims in self._claims.get(gpu.bdf, NO_CLAIMS).items():
            found[number] = claims[max(claims)]
        found.update(self._assumed.get(gpu.bdf, NOBODY))
        for one in gpu.partitions if self._devices else ():
            claim = self._devices.get(one.device)
            if claim is not None:
                found[one.id.index] = self._by_allocation(claim)
        return found

    def _by_allocation(self, claim: str) -> Holder:
        held = self._held.of(claim)
        if held is not None:
            return held.holder
        if self._world.claim_table.get(claim) is None:
            return Holder("foreign", claim)
        return our_holder(self._world.claim_table, self._world.pod_table, claim)


def _joined(gpu: Gpu, holders: _Holders, plans: NodePlans, reserved: Mapping[PartitionId, Reservation]) -> Gpu:
    """The GPU as reported where there is nothing to add: nodes then share what nobody holds."""
    plan, held = plans.gpus.get(gpu.bdf) or plans.node, holders.of(gpu)
    if plan is None and not held and not reserved:
        return gpu
    partitions = []
    for one in gpu.partitions:
        holder, kept = held.get(one.id.index), reserved.get(one.id) if reserved else None
        if holder is None and kept is None:
            partitions.append(one)
        else:
            partitions.append(one.kept(holder, kept or one.reservation))
    return gpu.having(tuple(partitions), plan)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept on a node for claims that wait."""

    partitions: Mapping[PartitionId, Reservation]
    awaited: tuple[Awaited, ...]


NOTHING_KEPT: Final = _Kept({}, ())


def _kept(nominations: Nominations) -> Mapping[str, _Kept]:
    by_node: dict[str, dict[PartitionId, Reservation]] = {one.node: {} for one in nominations}
    for (node, partition), reservation in nominations.reservations().items():
        by_node[node][partition] = reservation
    return {node: _Kept(places, nominations.awaited(node)) for node, places in by_node.items()}


class _Policies:
    """The views of policies, one for all nodes whose modes nobody changed lately."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._views: dict[str, PolicyView] = {}
        self._labels: dict[str, Mapping[str, str]] = {}
        self._minute: datetime | None = None
        self.stale = True

    def renewed(self, now: datetime) -> frozenset[str]:
        """The policies whose views are others than they were, by name."""
        minute = now.replace(second=0, microsecond=0)  # windows open and close on whole minutes
        if not self.stale and minute == self._minute:
            return frozenset()
        if self.stale:
            self._labels = dict(self._world.namespace_labels.items())
        self._minute, self.stale = minute, False
        before = self._views
        self._views = {
            policy.metadata.name: policy_view(policy, self._labels, None, now)
            for policy in self._world.policy_table.values()
        }
        return frozenset(
            name for name in before.keys() | self._views.keys() if before.get(name) != self._views.get(name)
        )

    def view(self, policy: GPUSharingPolicy, last_change: datetime | None, now: datetime) -> PolicyView:
        """The policy for a node whose mode was changed last then."""
        view = self._views[policy.metadata.name]
        if last_change is None:
            return view
        own = policy_view(policy, self._labels, last_change, now)
        if own.cooldown_left == view.cooldown_left:
            return view
        return replace(view, cooldown_left=own.cooldown_left, rests_until=own.rests_until)


def _takes(pod: Pod) -> object:
    """What counts of a pod, on the node or by its claim."""
    metadata = pod.metadata
    leaves = metadata.deletion_timestamp is not None
    return metadata.uid, metadata.labels, leaves, pod.spec, pod.status.phase in TERMINAL_PHASES, claim_name(pod)
