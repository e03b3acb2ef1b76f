"""Whether changes of modes lead an update to its end: every new pod finds a place, as many as are to. Pure.

As `placement/update.py` does it, but where a new pod finds no place the change is taken as done that would be made for
it. A change that helps the first pod alone would leave the others waiting, with the old ones gone.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from controller.placement.changes.change import as_tried
from controller.placement.changes.modes import changed_node
from controller.placement.decision import Placed
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Snapshot
from controller.placement.update import Update
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import Proposal

#: On more nodes only the first pod is looked into: each step takes a snapshot of its own.
MOST_NODES: Final = 256

Propose: TypeAlias = Callable[[Snapshot], Proposal | Refused]


def leads_to_end(
    scheduler: ModelScheduler, snapshot: Snapshot, update: Update, gone: Sequence[int], propose: Propose
) -> bool:
    """Whether every new pod is placed, of the old ones as many gone before the `n`-th as `gone` says.

    `propose`: the change for a pod of the update; those that wait for a person lead to no end. Asked of a blocked
    update again and again, so the first pod is judged without any copy.
    """
    with snapshot.without(update.claims[: gone[0]]):
        first = propose(snapshot)
    if isinstance(first, Refused) or not first.automatic:
        return False
    if len(gone) == 1 or len(snapshot.nodes) > MOST_NODES:
        return True
    nodes: Sequence[Node] = [as_tried(snapshot, node) for node in snapshot.nodes]
    for number, count in enumerate(gone):
        after = _with_one_more(scheduler, nodes, update, (number, count), propose)
        if after is None:
            return False
        nodes = after
    return True


def _with_one_more(
    scheduler: ModelScheduler, nodes: Sequence[Node], update: Update, turn: tuple[int, int], propose: Propose
) -> list[Node] | None:
    """The nodes with the new pod of that turn, (its number, how many old ones are gone); None where it finds none."""
    (number, count), demand = turn, update.demand
    snapshot = Snapshot(nodes)
    with snapshot.without(update.claims[:count]):
        free = [as_tried(snapshot, node) for node in snapshot.nodes]
    snapshot = Snapshot(free)
    decision = scheduler.schedule(snapshot, demand)
    if not isinstance(decision, Placed):
        changed = _changed(free, propose(snapshot))
        if changed is None:
            return None
        snapshot = Snapshot(changed)
        decision = scheduler.schedule(snapshot, demand)
    if not isinstance(decision, Placed):
        return None
    snapshot.hold(decision.node, decision.partitions, f"{demand.key}/{number}", demand.pod.resources)
    return [as_tried(snapshot, node) for node in snapshot.nodes]


def _changed(nodes: Sequence[Node], change: Proposal | Refused) -> list[Node] | None:
    if isinstance(change, Refused) or not change.automatic:
        return None
    after = dict(change.after)
    found = [changed_node(node, after) if node.name == change.node else node for node in nodes]
    return [node for node in found if node is not None] if None not in found else None
