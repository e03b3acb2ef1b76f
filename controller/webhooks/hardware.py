"""The managed nodes as admission judges by them: who governs each, and what its GPUs are or could become."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_node import GPU
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import UnknownProduct, product_named
from controller.placement.precision_support import obstacle_on
from controller.sizing.precision import Precision
from controller.state.cluster import Cluster
from controller.translate.policy import policy_for


@dataclass(frozen=True, slots=True)
class ManagedNode:
    """A node under management: its labels, the policy that governs it, the GPUs its agent reported so far."""

    name: str
    labels: Mapping[str, str]
    policy: GPUSharingPolicy | None
    gpus: tuple[GPU, ...]


@dataclass(frozen=True, slots=True, order=True)
class Reach:
    """The largest partition that a mode makes: bytes, mode, and the product that has it."""

    bytes: int
    mode: str
    product: str


def managed_nodes(cluster: Cluster) -> tuple[ManagedNode, ...]:
    """Every managed node that exists, by name."""
    found = (managed_node(cluster, name) for name in sorted(cluster.gpu_node_table.keys()))
    return tuple(node for node in found if node is not None)


def managed_node(cluster: Cluster, name: str) -> ManagedNode | None:
    """The node of that name; None when it does not exist or is not managed."""
    host, gpu_node = cluster.host_table.get(name), cluster.gpu_node_table.get(name)
    if host is None or gpu_node is None or not gpu_node.spec.managed:
        return None
    policy = policy_for(host.labels, cluster.policy_table.values())
    return ManagedNode(name, host.labels, policy, tuple(gpu_node.status.gpus))


def serving(node: ManagedNode, precision: Precision) -> ManagedNode:
    """The node with those of its GPUs alone on which the engine runs in a resolved precision."""
    return replace(node, gpus=tuple(gpu for gpu in node.gpus if not obstacle_on(gpu.product, precision)))


def reach(nodes: Iterable[ManagedNode], *, under_policy: bool = True) -> dict[str, Reach]:
    """By mode, the largest partition among GPUs that are in it or could be put into it.

    `under_policy`: only what the node's policy allows; a node without one may be changed to anything by a person. What
    a mode would make of an unknown product cannot be known: the whole GPU, so that nothing is called impossible.
    """
    found: dict[str, Reach] = {}
    seen = set()
    for node in nodes:
        policy = node.policy if under_policy else None
        for gpu in node.gpus:
            shape = _shape(gpu, policy)
            if shape in seen:  # the servers of a cluster are alike
                continue
            seen.add(shape)
            for mode in possible_modes(gpu, policy):
                found[mode] = max(found.get(mode, Reach(0, mode, gpu.product)), _reach(gpu, mode))
    return found


def possible_modes(gpu: GPU, policy: GPUSharingPolicy | None) -> set[str]:
    """The mode the GPU is in and those it can be put into, as far as the policy allows them."""
    validated_only = policy is not None and policy.spec.validated_only
    modes = {mode for mode in gpu.modes_allowed if not validated_only or mode in gpu.modes_validated}
    if gpu.mode is not None:
        modes.add(gpu.mode)
    allowed = () if policy is None else policy.spec.allowed_modes
    return modes & set(allowed) if allowed else modes


def _shape(gpu: GPU, policy: GPUSharingPolicy | None) -> tuple[object, ...]:
    sizes = max((partition.bytes for partition in gpu.partitions), default=0)
    name = None if policy is None else policy.metadata.name
    return name, gpu.product, gpu.mode, sizes, gpu.vram_bytes, tuple(gpu.modes_allowed), tuple(gpu.modes_validated)


def _reach(gpu: GPU, mode: str) -> Reach:
    reported = max((partition.bytes for partition in gpu.partitions), default=0)
    if mode == gpu.mode and reported:
        return Reach(reported, mode, gpu.product)
    try:
        size = product_named(gpu.product).partition_bytes(Mode.parse(mode))
    except (UnknownProduct, ModeError):
        size = gpu.vram_bytes or 0
    return Reach(size, mode, gpu.product)
