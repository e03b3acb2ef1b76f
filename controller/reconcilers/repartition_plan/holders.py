"""Who holds the GPUs of a plan: allocations of every namespace, adminAccess, device plugin pods, processes."""

from api.v1beta1 import RepartitionPlan
from controller.placement.snapshot import Node
from controller.state.cluster import Cluster
from controller.state.occupancy import admin_held
from controller.state.plans import reloads


def touched(plan: RepartitionPlan, node: Node) -> frozenset[str]:
    """The GPUs that must be idle: those the plan names, and all of the node when the memory mode changes."""
    named = {gpu.bdf for gpu in plan.spec.to.gpus}
    return frozenset(named | {gpu.bdf for gpu in node.gpus} if reloads(plan) else named)


def holders_of(cluster: Cluster, plan: RepartitionPlan) -> list[str] | None:
    """What somebody holds of the plan's GPUs, adminAccess included, for people; None when the node is not known."""
    node = cluster.snapshot().node(plan.spec.node)
    if node is None:
        return None
    bdfs = touched(plan, node)
    admin = admin_held(cluster)
    held = [
        f"{gpu.bdf}/{partition.id.index}"
        for gpu in node.gpus
        if gpu.bdf in bdfs
        for partition in gpu.partitions
        if partition.holder is not None or (node.pool, partition.device) in admin
    ]
    untold = sum(node.unlocated.values())
    if untold:
        many, they_are = ("1 device", "it is") if untold == 1 else (f"{untold} devices", "they are")
        held.append(f"{many} of AMD's device plugin, of which nobody has told yet which {they_are},")
    return held


def are(held: list[str]) -> str:
    """What is held, for a sentence, with its verb."""
    several = len(held) > 1 or " devices " in held[0]
    return f"{', '.join(held)} {'are' if several else 'is'}"


def processes_on(cluster: Cluster, plan: RepartitionPlan) -> list[str]:
    """The plan's GPUs that processes have open, with their number; a GPU of which nobody can tell is left out."""
    node, reported = cluster.snapshot().node(plan.spec.node), cluster.gpu_node_table.get(plan.spec.node)
    if node is None or reported is None:
        return []
    bdfs = touched(plan, node)
    return [f"{gpu.bdf} ({gpu.processes})" for gpu in reported.status.gpus if gpu.bdf in bdfs and gpu.processes]
