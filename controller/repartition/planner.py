"""Which mode change would give a claim its place, at the least cost.

A compute-mode change touches one GPU and needs that GPU idle. A memory-mode change reloads the driver, touches every
GPU of the node and needs all of them idle. Only idle GPUs are ever proposed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.placement.demand import Demand
from controller.placement.filters import refuse_node
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.repartition.disruption_budget import Refused, refuse_change


@dataclass(frozen=True, slots=True)
class Proposal:
    """A node's change: `before` and `after` name every GPU that the change touches, as (bdf, mode) by bdf."""

    node: str
    policy: str
    automatic: bool
    before: tuple[tuple[str, Mode], ...]
    after: tuple[tuple[str, Mode], ...]
    target: str
    mode: Mode

    @property
    def reloads_driver(self) -> bool:
        """Whether the memory mode changes, which reloads the driver of the whole node."""
        return self.before[0][1].memory != self.after[0][1].memory


def propose(snapshot: Snapshot, demand: Demand, active_nodes: Sequence[str]) -> Proposal | Refused:
    """The cheapest change that gives `demand` a partition, or why none may run.

    Cheapest: no driver reload first, then the fewest GPUs touched, then the smallest partition that fits, then names.
    """
    if demand.requirement.count != 1:
        # Placement would refuse the claim in any mode, so a change would be made for nothing.
        return Refused("CountUnsupported", "no mode change helps a claim of several partitions yet")
    refused: Refused | None = None
    best: tuple[tuple[bool, int, int, str, str], Proposal] | None = None
    for node in snapshot.nodes:
        if refuse_node(snapshot, demand, node) is not None:
            continue
        refused_here = refuse_change(demand, node, active_nodes)
        if refused_here is not None:
            refused = _weightier(refused, refused_here)
            continue
        for size, proposal in _changes(snapshot, demand, node):
            cost = (proposal.reloads_driver, len(proposal.after), size, node.name, proposal.target)
            if best is None or cost < best[0]:
                best = cost, proposal
    if best is not None:
        return best[1]
    return refused or Refused("NoIdleGPU", "no idle GPU could be changed to a mode whose partitions fit")


def _weightier(known: Refused | None, new: Refused) -> Refused:
    # "Disabled" is the answer only when nothing nearer to a change was found.
    return new if known is None or known.reason == "RepartitionDisabled" else known


def _changes(snapshot: Snapshot, demand: Demand, node: Node) -> Iterator[tuple[int, Proposal]]:
    for gpu in node.gpus:
        if gpu.plan is not None or not snapshot.idle(node, gpu):
            continue
        for mode in _useful_modes(demand, node, gpu):
            touched = _touched(snapshot, node, gpu, mode)
            if touched is None or node.policy is None:
                continue
            yield (
                product_named(gpu.product).partition_bytes(mode),
                Proposal(
                    node=node.name,
                    policy=node.policy.name,
                    automatic=node.policy.approval == "Auto",
                    before=tuple((other.bdf, other.mode) for other, _ in touched),
                    after=tuple((other.bdf, after) for other, after in touched),
                    target=gpu.bdf,
                    mode=mode,
                ),
            )


def _useful_modes(demand: Demand, node: Node, gpu: Gpu) -> Iterator[Mode]:
    """Modes the GPU can take whose partitions hold the requirement, within policy and wish."""
    try:
        product = product_named(gpu.product)
    except UnknownProduct:
        return  # sizes of a mode the GPU is not in come from the table; without it nothing is promised
    policy = node.policy
    for mode in gpu.allowed:
        wanted = not demand.requirement.modes or mode in demand.requirement.modes
        permitted = policy is not None and (not policy.modes or mode in policy.modes)
        validated = policy is not None and (not policy.validated_only or mode in gpu.validated)
        if mode == gpu.mode or not (wanted and permitted and validated):
            continue
        if _partition_bytes(product, mode) >= demand.requirement.bytes:
            yield mode


def _partition_bytes(product: Product, mode: Mode) -> int:
    """The planned size; 0 for a mode that hardware offers and the table has no figures for: nothing is promised."""
    try:
        return product.partition_bytes(mode)
    except ModeError:
        return 0


def _touched(snapshot: Snapshot, node: Node, gpu: Gpu, mode: Mode) -> tuple[tuple[Gpu, Mode], ...] | None:
    """Every GPU the change touches with its mode after it; None when one of them is in use or has no such mode."""
    if mode.memory == gpu.mode.memory:
        return ((gpu, mode),)
    after: list[tuple[Gpu, Mode]] = []
    for other in node.gpus:
        if other.plan is not None or not snapshot.idle(node, other):
            return None
        kept = Mode(other.mode.compute, mode.memory)
        if other.bdf != gpu.bdf and kept in other.allowed:
            after.append((other, kept))
        elif mode in other.allowed:
            after.append((other, mode))
        else:
            return None
    return tuple(after)
