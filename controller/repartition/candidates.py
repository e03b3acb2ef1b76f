"""The mode changes of a node that would make a partition for a claim, and who holds the GPUs that each one touches."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from controller.gpu.identity import PartitionId
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import UnknownProduct, product_named
from controller.placement.demand import Demand
from controller.placement.filters import kept_for
from controller.placement.precision_support import obstacle_on
from controller.placement.snapshot import Gpu, Holder, Node, Snapshot

#: The device plugin's two ways of naming devices: all alike, or each for its mode.
SINGLE: Final = "single"
MIXED: Final = "mixed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """`target` would go to `mode`, which gives partitions of `size` bytes as planned.

    `touched`: every GPU of the change with its mode after it; `held`: partitions of them that pods of ours hold.
    """

    node: Node
    target: Gpu
    mode: Mode
    touched: tuple[tuple[Gpu, Mode], ...]
    held: tuple[PartitionId, ...]
    size: int

    def cost(self) -> tuple[int, bool, int, int, str, str]:
        """Lower is better: pods to move, a driver reload, GPUs touched, the partition's size, names."""
        reloads = self.mode.memory != self.target.mode.memory
        return len(self.held), reloads, len(self.touched), self.size, self.node.name, self.target.bdf


def candidates(
    snapshot: Snapshot, demand: Demand, node: Node, admin_held: frozenset[tuple[str, str]], *, evicting: bool
) -> Iterator[Candidate]:
    """Every change of the node that helps and touches idle GPUs only; `evicting`: those that pods of ours hold, too."""
    if any(node.unlocated.values()):
        return  # a pod of the device plugin holds a device, and nobody has told yet which
    held = {gpu.bdf: _held(snapshot, node, gpu) for gpu in node.gpus}
    fixed = frozenset(
        gpu.bdf
        for gpu in node.gpus
        if (held[gpu.bdf] and not evicting) or _fixed(snapshot, demand, node, gpu, admin_held)
    )
    for gpu in node.gpus:
        if gpu.bdf in fixed or not all(partition.healthy for partition in gpu.partitions):
            continue
        for mode in useful_modes(demand, node, gpu):
            touched, size = _touched(node, gpu, mode, fixed), planned_bytes(gpu.product, mode)
            if touched is not None and _within_quota(snapshot, demand, node, size):
                holders = tuple(partition for other, _ in touched for partition in held[other.bdf])
                yield Candidate(node, gpu, mode, touched, holders, size)


def _within_quota(snapshot: Snapshot, demand: Demand, node: Node, size: int) -> bool:
    """Whether the namespace may have such a partition: one that it may not have would be made in vain."""
    policy = node.policy
    most = policy.quota(demand.namespace).most if policy is not None else None
    if policy is None or most is None or demand.joins:
        return True
    return snapshot.quota_used(policy.name, demand.namespace) + size * demand.requirement.count <= most


def _held(snapshot: Snapshot, node: Node, gpu: Gpu) -> tuple[PartitionId, ...]:
    return tuple(partition.id for partition in gpu.partitions if snapshot.holder(node, partition) is not None)


def _fixed(snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, admin_held: frozenset[tuple[str, str]]) -> bool:
    """Whether the GPU keeps its mode: another plan has it, or somebody holds it who does not move for us.

    A place that is kept for another must be there when that comes, and an entry of the quarantine names a partition of
    the present mode.
    """
    return gpu.plan is not None or any(
        (partition.reservation is not None and not kept_for(partition, demand))
        or partition.quarantined
        or (node.pool, partition.device) in admin_held
        or _foreign(snapshot.holder(node, partition))
        for partition in gpu.partitions
    )


def _foreign(holder: Holder | None) -> bool:
    return holder is not None and holder.kind == "foreign"


def useful_modes(demand: Demand, node: Node, gpu: Gpu) -> Iterator[Mode]:
    """Modes the GPU can take whose partitions hold the requirement, within policy and wish.

    None where the engine does not run on it in the claim's precision: room there would be room for others.
    """
    if any(obstacle_on(gpu.product, precision) for precision in demand.precisions):
        return
    for mode in gpu.allowed:
        wanted = not demand.requirement.modes or mode in demand.requirement.modes
        if mode == gpu.mode or not (wanted and permitted(node, gpu, mode) and _bears(demand, mode)):
            continue
        size = planned_bytes(gpu.product, mode)
        if size and size >= demand.requirement.bytes:
            yield mode


def permitted(node: Node, gpu: Gpu, mode: Mode) -> bool:
    """Whether the node's policy lets the GPU be put into the mode; it does where that is no change."""
    policy = node.policy
    if policy is None or mode not in gpu.allowed:
        return False
    bounded = (not policy.modes or mode in policy.modes) and (not policy.validated_only or mode in gpu.validated)
    return bounded or mode == gpu.mode


def _bears(demand: Demand, mode: Mode) -> bool:
    """Whether partitions of the mode are advertised by the extended resource that the pod asks for, if it does."""
    return demand.naming != MIXED or demand.resource.partition("/")[2] == mode.profile


@lru_cache(maxsize=1024)
def planned_bytes(product: str, mode: Mode) -> int:
    """The size of a partition in a mode that the GPU is not in, from the table.

    0 for a product that is not in the table, and for a mode of it that has no figures there: nothing is promised.
    """
    try:
        return product_named(product).partition_bytes(mode)
    except (UnknownProduct, ModeError):
        return 0


def _touched(node: Node, gpu: Gpu, mode: Mode, fixed: frozenset[str]) -> tuple[tuple[Gpu, Mode], ...] | None:
    """Every GPU the change touches with its mode after it; None when one is fixed or may not be in such a mode."""
    alike = node.plugin and node.naming == SINGLE  # the plugin advertises nothing of a node in several modes
    if mode.memory == gpu.mode.memory and not alike:
        return ((gpu, mode),)
    after: list[tuple[Gpu, Mode]] = []
    for other in node.gpus:
        kept = Mode(other.mode.compute, mode.memory)
        if other.bdf != gpu.bdf and permitted(node, other, kept) and not alike:
            after.append((other, kept))
        elif permitted(node, other, mode):
            after.append((other, mode))
        else:
            return None
    return None if fixed else tuple(after)
