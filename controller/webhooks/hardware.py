"""The managed nodes as admission judges by them: who governs each, and what its GPUs are or could become."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_node import GPU
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.placement.precision_support import obstacle_on
from controller.sizing.engine_support import runs
from controller.sizing.precision import Precision
from controller.state.cluster import Cluster
from controller.translate.policy import policy_for

#: GPUs of a server, as sizing's recommendations take it, too: Instinct platforms have eight.
GPUS_A_SERVER: Final = 8


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Partitions for one pod: bytes of each, how many, the resolved precision, and the mode, None for any."""

    bytes: int
    count: int
    precision: Precision
    mode: str | None = None


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


def could_hold(nodes: Iterable[ManagedNode], wanted: Wanted) -> bool:
    """Whether one of the nodes, with all of its GPUs idle, could have the partitions, of one product and mode."""
    seen = set()
    for node in nodes:
        shape = tuple(_shape(gpu, node.policy) for gpu in node.gpus)
        if shape not in seen and _could_hold(serving(node, wanted.precision), wanted):
            return True
        seen.add(shape)
    return False


def _could_hold(node: ManagedNode, wanted: Wanted) -> bool:
    found: Counter[tuple[str, str]] = Counter()
    for gpu in node.gpus:
        for mode in possible_modes(gpu, node.policy):
            if wanted.mode in (None, mode) and _reach(gpu, mode).bytes >= wanted.bytes:
                found[gpu.product, mode] += _number_of(gpu, mode)
    return any(count >= wanted.count for count in found.values())


def _number_of(gpu: GPU, mode: str) -> int:
    """Partitions of the GPU in the mode; of an unknown product the one that is the whole GPU."""
    if mode == gpu.mode and gpu.partitions:
        return len(gpu.partitions)
    try:
        return product_named(gpu.product).partition_count(Mode.parse(mode).compute)
    except (UnknownProduct, ModeError):
        return 1


def servers_could_hold(products: Iterable[Product], wanted: Wanted) -> bool:
    """The same of servers to come, each with `GPUS_A_SERVER` GPUs of one product."""
    return any(
        product.partition_bytes(mode) >= wanted.bytes
        and product.partition_count(mode.compute) * GPUS_A_SERVER >= wanted.count
        for product in products
        if product.vram_mib is not None and runs(product, wanted.precision)
        for mode in product.allowed
        if wanted.mode in (None, str(mode))
    )


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
