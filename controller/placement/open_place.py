"""The kind of partition that a demand is let go for when it fits nowhere: one that is here already, in use.

A cluster autoscaler makes nodes like those that there are, so what it could bring is a partition like one of theirs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.precision_support import obstacle_on
from controller.placement.size_text import gib
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of partition: its bytes, and product and mode of its GPU."""

    bytes: int
    product: str
    mode: Mode


def kind_for(snapshot: Snapshot, demand: Demand) -> Kind | None:
    """The smallest kind that would do, of GPUs under policies that let pods go; None when there is none."""
    return min(
        (kind for node in snapshot.nodes for kind in _kinds(snapshot, node, demand)),
        key=lambda kind: (kind.bytes, kind.product, str(kind.mode)),
        default=None,
    )


def _kinds(snapshot: Snapshot, node: Node, demand: Demand) -> Iterator[Kind]:
    policy = node.policy
    if policy is None or not policy.releases or not policy.admits(demand.namespace) or node.plugin:
        return
    if demand.policy not in (None, policy.name):
        return
    for gpu in node.gpus:
        fits = not obstacle_on(gpu.product, demand.requirement.precision) and gpu.mode in (policy.modes or {gpu.mode})
        if not fits or gpu.mode not in (demand.requirement.modes or {gpu.mode}):
            continue
        if len(gpu.partitions) < demand.requirement.count:
            continue
        smallest = min((partition.bytes for partition in gpu.partitions), default=0)
        within = not over_max(snapshot, node, demand.namespace, smallest * demand.requirement.count)
        if smallest >= demand.requirement.bytes and within:
            yield Kind(smallest, gpu.product, gpu.mode)


def over_max(snapshot: Snapshot, node: Node, namespace: str, size: int) -> str:
    """Why so many bytes more on the node are more than its policy lets the namespace have; "" when they are not."""
    policy = node.policy
    most = policy.quota(namespace).most if policy is not None else None
    if policy is None or most is None or snapshot.quota_used(policy.name, namespace) + size <= most:
        return ""
    return f"{gib(size)} on {node.name} are more than policy {policy.name} leaves namespace {namespace} of {gib(most)}"


def unfit(node: Node, gpu: Gpu, partition: Partition, kind: Kind, namespace: str, policy: str | None) -> str:
    """What is wrong with a partition that the scheduler gave to a pod that was let go; "" when nothing is.

    The scheduler knows devices and not our policies, plans, quarantine and places that are kept. `policy` is the one
    that the pod named.
    """
    where = f"{node.name} {gpu.bdf}/{partition.id.index}"
    if gpu.product != kind.product or gpu.mode != kind.mode:
        return f"{where} is of {gpu.product} in {gpu.mode}, the pod starts for {kind.product} in {kind.mode}"
    if partition.bytes < kind.bytes:
        return f"{where} has less memory than the pod starts for"
    if not partition.healthy or partition.quarantined:
        return f"{where} is broken or in quarantine"
    if gpu.plan:
        return f"{where} is being changed by plan {gpu.plan}"
    if partition.reservation is not None:
        return f"{where} is kept for another pod"
    ruling = node.policy
    if policy is not None and (ruling is None or ruling.name != policy):
        return f"{where} is not under policy {policy}"
    if ruling is not None and not ruling.admits(namespace):
        return f"{where} is not for namespace {namespace}"
    return ""
