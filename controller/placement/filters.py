"""The ordered checks a candidate must pass. Each gives a CamelCase reason and a sentence, or nothing.

Node checks repeat what the real scheduler will check for the one node that we pin, because a pod cannot be pinned
elsewhere afterwards; partition checks are about the GPU. Order matters only for which reason is named first.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from controller.placement.demand import Demand
from controller.placement.node import Reservation
from controller.placement.node_rules import (
    HOSTNAME_LABEL,
    affinity_matches,
    expression_matches,
    selector_matches,
    taints_tolerated,
    tolerates,
)
from controller.placement.pod_filters import POD_FILTERS
from controller.placement.precision_support import obstacle_on
from controller.placement.size_text import gib
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot

__all__ = [
    "HOSTNAME_LABEL",
    "NODE_FILTERS",
    "PARTITION_FILTERS",
    "expression_matches",
    "kept_for",
    "pause",
    "refuse_devices",
    "refuse_node",
    "refuse_partition",
    "tolerates",
]

NodeFilter = Callable[[Snapshot, Demand, Node], str | None]
PartitionFilter = Callable[[Snapshot, Demand, Node, Gpu, Partition], str | None]

ASK_ANEW = "if that changed after the pod was made delete the pod, its successor asks anew; else the node is not for it"


def inventory_fresh(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """A node whose agent was not heard of lately binds nothing."""
    return None if node.fresh else f"node {node.name}: its agent has not been heard of for 40 s; start the agent"


def not_paused(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """A paused node or policy binds nothing."""
    return pause(node)


def pause(node: Node) -> str | None:
    """What of the node or its policy is paused, and where that is set; None when nothing is."""
    if node.paused:
        return f"node {node.name} is paused; set GPUNode {node.name} spec.paused to false"
    if node.policy is not None and node.policy.paused:
        return f"policy {node.policy.name} is paused; set its spec.paused to false"
    return None


CHANGING_AGENTS: Final = "install agents that do, by the chart's value agent.mode=repartition"
"""What helps where the agent of a node only reports."""


def only_reports(node: str) -> str:
    """Why modes of a node stay, where its agent reads only."""
    return f"the agent of node {node} only reports and changes no mode"


def only_reported(node: Node) -> str:
    """The same with what helps."""
    return f"{only_reports(node.name)}; {CHANGING_AGENTS}"


def policy_admits(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """The node's policy must select the claim's namespace, and be the one the claim asked for."""
    policy = node.policy
    if demand.policy is not None and (policy is None or policy.name != demand.policy):
        return f"node {node.name} is not selected by policy {demand.policy}; name a policy that selects nodes"
    if policy is not None and not policy.admits(demand.namespace):
        # its name may be another tenant's, and is not told
        return f"node {node.name} has a policy that does not select namespace {demand.namespace}; ask for one that does"
    return None


def binding_matches(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """A pod asks by a ResourceClaim or by an extended resource, for good; the node must hand GPUs out that way."""
    if not demand.resource:
        if not node.plugin:
            return None
        return f"node {node.name} hands GPUs out by its device plugin, the pod asks by a ResourceClaim; {ASK_ANEW}"
    if not node.plugin:
        return f"node {node.name} hands GPUs out by ResourceClaims, the pod asks for {demand.resource}; {ASK_ANEW}"
    if node.naming is None:
        return f"node {node.name} advertises no GPUs, the pod asks for {demand.resource}; start the device plugin there"
    if node.naming != demand.naming:
        named = ", ".join(sorted(node.devices))
        return f"node {node.name} names its GPUs {named}, the pod asks for {demand.resource}; {ASK_ANEW}"
    return None


def no_change_on_node(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """The kubelet chooses among all GPUs of the node, so while one of them is changed a pod could be given that one."""
    plans = sorted({gpu.plan for gpu in node.gpus if gpu.plan}) if demand.resource else []
    return f"node {node.name} is being changed by plan {', '.join(plans)}" if plans else None


def no_plugin_pods(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """Beside pods of the device plugin nothing is bound by ResourceClaims: both would hand out the same devices."""
    if node.plugin_pods and not demand.resource:
        return f"node {node.name} runs {node.plugin_pods} pods that took GPUs past ResourceClaims; move them away"
    return None


def ready(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """The node must be Ready."""
    return None if node.ready else f"node {node.name} is not Ready"


def schedulable(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """The node must not be cordoned."""
    return f"node {node.name} is cordoned; kubectl uncordon {node.name}" if node.unschedulable else None


def addressable(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """The pin is the node's own hostname label, so it must have one."""
    if node.hostname is None:
        return f"node {node.name} has no label {HOSTNAME_LABEL}; add it"
    return None


def not_excluded(_: Snapshot, demand: Demand, node: Node) -> str | None:
    """A node where the pod before this one lost its device, or was refused, is left out until something changes."""
    if node.name in demand.excluded_nodes:
        return f"node {node.name} is left out: the pod before this one lost its device there, or was refused"
    return None


def resources_fit(snapshot: Snapshot, demand: Demand, node: Node) -> str | None:
    """CPU, memory and pod count must be left on the node.

    As in the real scheduler, a node that is overcommitted in something still takes pods that ask none of it.
    """
    left = node.allocatable.minus(snapshot.used(node))
    for awaited in node.awaited:
        if awaited.claim != demand.uid and awaited.priority >= demand.priority:
            left = left.minus(awaited.resources)
    want = demand.pod.resources
    if want.pods > left.pods:
        return f"node {node.name} has no pod slot left of {node.allocatable.pods}"
    if 0 < want.cpu_milli > left.cpu_milli:
        return f"node {node.name} has {left.cpu_milli}m CPU left, the pod requests {want.cpu_milli}m"
    if 0 < want.memory_bytes > left.memory_bytes:
        return f"node {node.name} has {gib(left.memory_bytes)} memory left, the pod requests {gib(want.memory_bytes)}"
    return None


def members_admitted(snapshot: Snapshot, demand: Demand, node: Node) -> str | None:
    """The node must take every founder of a share group; what they request of it together is the demand's own."""
    for member in demand.shared.members if demand.shared is not None else ():
        alone = replace(demand, pod=member.pod)
        for check in (taints_tolerated, selector_matches, affinity_matches):
            sentence = check(snapshot, alone, node)
            if sentence is not None:
                return f"{sentence}, for a member of share group {demand.shared.group}" if demand.shared else sentence
    return None


def precision_supported(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """The engine must run on the GPU in the model's precision: no mode and no waiting would change that."""
    for precision in demand.precisions:
        wall = obstacle_on(gpu.product, precision)
        if wall:
            return f"{node.name} {gpu.bdf} does not serve {precision}: {wall}"
    return None


def mode_asked(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """The GPU must be in one of the modes asked for."""
    modes = demand.requirement.modes
    if modes and gpu.mode not in modes:
        wanted = " or ".join(sorted(map(str, modes)))
        return f"{node.name} {gpu.bdf} is in mode {gpu.mode}, asked for {wanted}"
    return None


def bears_resource(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """The partition must be one of those among which the kubelet will choose."""
    if not demand.resource or partition.resource == demand.resource:
        return None
    return f"{node.name} {gpu.bdf} is advertised as {partition.resource}, the pod asks for {demand.resource}"


def mode_allowed(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """The node's policy must allow the mode the GPU is in."""
    policy = node.policy
    if policy is not None and policy.modes and gpu.mode not in policy.modes:
        return f"{node.name} {gpu.bdf} is in mode {gpu.mode}, which policy {policy.name} does not allow"
    return None


def large_enough(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """The partition must hold the whole requirement."""
    need = demand.requirement.bytes
    if partition.bytes < need:
        return f"{node.name} {gpu.bdf}/{partition.id.index} has {gib(partition.bytes)}, needed {gib(need)}"
    return None


def healthy(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """An unhealthy partition gets nobody."""
    return None if partition.healthy else f"{node.name} {gpu.bdf}/{partition.id.index} is unhealthy"


def not_changing(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """A GPU whose mode is being changed gets nobody."""
    return f"{node.name} {gpu.bdf} is being changed by plan {gpu.plan}" if gpu.plan else None


def not_quarantined(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """A partition in quarantine gets nobody, however healthy it looks."""
    if not partition.quarantined:
        return None
    where = f"{node.name} {gpu.bdf}/{partition.id.index}"
    return f"{where} is in quarantine; remove its entry from spec.quarantine of GPUNode {node.name}"


def kept_for(partition: Partition, demand: Demand) -> bool:
    """Whether it is reserved for this demand: its claim, its service's new revision, or a moved pod's successor."""
    kept = partition.reservation
    if kept is None:
        return False
    if kept.claim:
        return kept.claim == demand.uid
    if kept.service:
        return kept.service == demand.service and demand.newest
    return kept.owner == demand.owner and kept.template_hash in ("", demand.template_hash)


def not_reserved(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """A place that is kept goes to nobody else; one that a waiting claim has, to a demand of higher priority."""
    kept = partition.reservation
    if kept is None or kept_for(partition, demand) or (kept.claim and demand.priority > kept.priority):
        return None
    return f"{node.name} {gpu.bdf}/{partition.id.index} is kept for {_whom(kept)}"


def _whom(kept: Reservation) -> str:
    if kept.service:
        return "the new revision of a service"
    return "a claim that waited before" if kept.claim else "a pod that was moved"


def within_quota(snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """Under the node's policy the namespace may have no more than its quota's max, in bytes of whole partitions.

    Whoever joins a share group takes none: the group's partition is counted already.
    """
    policy = node.policy
    most = policy.quota(demand.namespace).most if policy is not None else None
    if policy is None or most is None or demand.joins:
        return None
    used, asked = snapshot.quota_used(policy.name, demand.namespace), partition.bytes * demand.requirement.count
    if used + asked <= most:
        return None
    return (
        f"namespace {demand.namespace} uses {gib(used)} of max {gib(most)} on the nodes of policy {policy.name}, and "
        f"{gib(asked)} on {node.name} would exceed it by {gib(used + asked - most)}; end a model of the namespace, "
        "choose a smaller one, or ask for a larger max in spec.quotas of the policy"
    )


def free(snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """Nobody may hold the partition. Names of holders are not told: they may be another tenant's."""
    holder = snapshot.holder(node, partition)
    if holder is None or (demand.joins and holder.name == demand.key):
        return None
    who = "another model" if holder.kind == "ours" else "a workload that is not managed here"
    return f"{node.name} {gpu.bdf}/{partition.id.index} is held by {who}"


def share_left(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """Whoever joins a share group gets what its members leave of memory and compute units: shares never change."""
    place = demand.shared.place if demand.shared is not None else None
    if demand.shared is None or place is None:
        return None
    need = demand.requirement.bytes
    if need <= place.left_bytes and place.left_units != 0 and place.left_pods > 0:
        return None
    units = "" if place.left_units is None else f", {place.left_units} compute units"
    return (
        f"share group {demand.shared.group} leaves {gib(place.left_bytes)}{units} and {place.left_pods} places of "
        f"{node.name} {gpu.bdf}/{partition.id.index}, needed are {gib(need)}; shares are fixed until a member leaves: "
        "wait for that, ask for less, or name another group"
    )


def guarantees_kept(_: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> str | None:
    """All that the services of a share group are promised must be possible at once, within its policy's bound."""
    place = demand.shared.place if demand.shared is not None else None
    if demand.shared is None or place is None or place.left_guarantees is None:
        return None
    asked = sum(member.guaranteed for member in demand.shared.members)
    if asked <= max(0, place.left_guarantees):
        return None
    return (
        f"share group {demand.shared.group} can promise {max(0, place.left_guarantees)} more requests in flight on "
        f"{node.name} {gpu.bdf}/{partition.id.index}, minConcurrency {asked} is asked for; lower "
        "spec.qos.guarantees.minConcurrency, name another group, or ask for more spec.sharedConcurrency in the policy"
    )


NODE_FILTERS: tuple[tuple[str, NodeFilter], ...] = (
    ("StaleInventory", inventory_fresh),
    ("PolicyMismatch", policy_admits),
    ("Paused", not_paused),
    ("BindingMismatch", binding_matches),
    ("ForeignDevicePluginPods", no_plugin_pods),
    ("Repartitioning", no_change_on_node),
    ("NodeNotReady", ready),
    ("NodeCordoned", schedulable),
    ("NodeWithoutHostname", addressable),
    ("NodeExcluded", not_excluded),
    ("TaintNotTolerated", taints_tolerated),
    ("NodeSelectorMismatch", selector_matches),
    ("NodeAffinityMismatch", affinity_matches),
    ("ShareGroupMemberRefused", members_admitted),
    *POD_FILTERS,
    ("NodeResourcesShort", resources_fit),
)

PARTITION_FILTERS: tuple[tuple[str, PartitionFilter], ...] = (
    ("PrecisionUnsupported", precision_supported),
    ("ModeMismatch", mode_asked),
    ("ResourceMismatch", bears_resource),
    ("ModeNotAllowed", mode_allowed),
    ("PartitionTooSmall", large_enough),
    ("PartitionUnhealthy", healthy),
    ("Quarantined", not_quarantined),
    ("Repartitioning", not_changing),
    ("QuotaExceeded", within_quota),
    ("PartitionHeld", free),
    ("ShareGroupFull", share_left),
    ("GuaranteeCapacity", guarantees_kept),
    ("Reserved", not_reserved),
)


def refuse_node(snapshot: Snapshot, demand: Demand, node: Node) -> tuple[str, str] | None:
    """The first node check that refuses, as (reason, sentence)."""
    for reason, check in NODE_FILTERS:
        sentence = check(snapshot, demand, node)
        if sentence is not None:
            return reason, sentence
    return None


def refuse_partition(
    snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition
) -> tuple[str, str] | None:
    """The first partition check that refuses, as (reason, sentence)."""
    for reason, check in PARTITION_FILTERS:
        sentence = check(snapshot, demand, node, gpu, partition)
        if sentence is not None:
            return reason, sentence
    return None


def refuse_devices(
    snapshot: Snapshot, demand: Demand, node: Node, usable: Collection[Partition]
) -> tuple[str, str] | None:
    """Why the node's device plugin has not the devices left for a demand that fits the `usable` partitions.

    Which device a pod gets is the kubelet's choice, so devices are counted: of those advertised, and of those that
    pass all checks, as many are gone as are held, and as pods hold without anybody knowing which.
    """
    resource = demand.resource
    advertised = node.devices.get(resource, 0)
    if advertised == 0:
        return "NotAdvertised", f"node {node.name} advertises no {resource} now; see that the device plugin runs there"
    unlocated = node.unlocated.get(resource, 0)
    held = sum(
        partition.resource == resource and snapshot.holder(node, partition) is not None
        for gpu in node.gpus
        for partition in gpu.partitions
    )
    if min(len(usable), advertised - held) - unlocated >= demand.requirement.count:
        return None
    return "PartitionHeld", f"node {node.name} has {advertised} {resource}, of which {held + unlocated} are taken"
