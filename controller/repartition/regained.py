"""What it gives to empty GPUs of a node: a trial on the snapshot, which is left as it was."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from controller.gpu.mode import Mode
from controller.placement.changes.modes import in_mode
from controller.placement.decision import Decision, Placed
from controller.placement.demand import Demand
from controller.placement.ranking import alike
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.repartition.move import Move
from controller.repartition.victims import Victim


@dataclass(frozen=True, slots=True)
class Gain:
    """So many more whole GPUs, of `bytes` together, that nobody holds once the pods have moved; `claims` get a place.

    GPUs that moved pods come to fill are taken off. The claims may take the GPUs that are regained.
    """

    gpus: int
    bytes: int
    claims: int

    @property
    def units(self) -> int:
        """GPUs or claims, whichever are more: a claim that takes a GPU is no second gain."""
        return max(self.gpus, self.claims)


@dataclass(frozen=True, slots=True)
class Group:
    """GPUs of a node that would be emptied together, and who has to leave them."""

    node: Node
    gpus: tuple[Gpu, ...]
    victims: tuple[Victim, ...]

    @property
    def bdfs(self) -> frozenset[str]:
        """The addresses of the GPUs."""
        return frozenset(gpu.bdf for gpu in self.gpus)


@dataclass(frozen=True, slots=True)
class Emptied:
    """GPUs whose pods make these `moves`, and the mode that they take then; None: they stay as they are."""

    group: Group
    mode: Mode | None
    moves: tuple[Move, ...]


def regained(
    there: Snapshot,
    emptied: Emptied,
    waiting: Sequence[Demand],
    schedule: Callable[[Snapshot, Demand], Decision],
) -> tuple[Gain, tuple[str, ...]]:
    """The gain, and the keys of the claims that get in, tried one after the other on the node as it would be."""
    group, moves = emptied.group, emptied.moves
    looked_at = {(group.node.name, bdf) for bdf in group.bdfs} | {(move.node, move.partition.bdf) for move in moves}
    before = _idle(there, looked_at)
    with ExitStack() as trial:
        trial.enter_context(there.without([f"{move.victim.namespace}/{move.victim.claim}" for move in moves]))
        for move in moves:
            _hold(there, move)
        after = _idle(there, looked_at)
        node = _as_it_would_be(there, emptied)
        served = _served(there.beside(node), node, waiting, schedule)
    return Gain(len(after) - len(before), sum(after.values()) - sum(before.values()), len(served)), served


def _served(
    beside: Snapshot, node: Node, waiting: Sequence[Demand], schedule: Callable[[Snapshot, Demand], Decision]
) -> tuple[str, ...]:
    found, lost = [], set()
    for demand in waiting:
        kind = alike(demand)
        if kind in lost and demand.uid not in node.kept_for:
            continue  # it only gets fuller
        decision = schedule(beside, demand)
        if isinstance(decision, Placed):
            beside.hold(decision.node, decision.partitions, demand.key, demand.pod.resources)
            found.append(demand.key)
        else:
            lost.add(kind)
    return tuple(found)


def _idle(snapshot: Snapshot, gpus: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Those of the GPUs, as (node, bdf), that nobody holds, with the memory of each."""
    found = {}
    for node in filter(None, map(snapshot.node, sorted({name for name, _ in gpus}))):
        for gpu in node.gpus:
            if (node.name, gpu.bdf) in gpus and snapshot.idle(node, gpu):
                found[node.name, gpu.bdf] = sum(partition.bytes for partition in gpu.partitions)
    return found


def _hold(snapshot: Snapshot, move: Move) -> None:
    """The successor of the moved pod holds its place, until the trial ends."""
    node = snapshot.node(move.node)
    if node is None:
        raise RuntimeError(f"pod {move.victim.name} is sent to node {move.node}, which is not in the snapshot")
    there = (one for gpu in node.gpus for one in gpu.partitions if one.id == move.partition)
    key = f"{move.victim.namespace}/{move.victim.claim}"
    snapshot.hold(node, there, key, move.victim.constraints.resources)


def _as_it_would_be(snapshot: Snapshot, emptied: Emptied) -> Node:
    """The node once the pods have moved and the GPUs have their modes."""
    group, mode, gpus = emptied.group, emptied.mode, []
    for gpu in group.node.gpus:
        held = tuple(one.kept(snapshot.holder(group.node, one), one.reservation) for one in gpu.partitions)
        present = gpu.having(held, gpu.plan)
        changed = in_mode(group.node, present, mode) if mode is not None and gpu.bdf in group.bdfs else present
        gpus.append(changed or present)
    return replace(group.node, gpus=tuple(gpus), used=snapshot.used(group.node))
