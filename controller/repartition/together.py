"""Where a pod of several partitions goes when it has to move: as many together elsewhere, that nobody has or awaits."""

from dataclasses import replace

from controller.placement.candidates import Choice, best_on
from controller.placement.demand import Demand, Resources
from controller.placement.scores import best_fit
from controller.placement.snapshot import Node, Snapshot
from controller.repartition.move import Move
from controller.repartition.victims import Victim


def move_together(snapshot: Snapshot, home: str, victim: Victim) -> tuple[Move, ...]:
    """The victim's moves to the best place for all its partitions, one a partition; none where there is no such place.

    At `home`, its own node, the pod frees the CPU and memory that its successor asks for, and none of its partitions.
    """
    found = [choice for node in snapshot.nodes if (choice := _best(snapshot, home, victim.demand, node)) is not None]
    best = min(found, key=lambda choice: (choice.rank, choice.placed.node.name), default=None)
    if best is None:
        return ()
    name = best.placed.node.name
    return tuple(
        Move(victim, name, each.partition.id, each.gpu.mode, each.partition.bytes) for each in best.placed.devices
    )


def _best(snapshot: Snapshot, home: str, demand: Demand, node: Node) -> Choice | None:
    if node.name == home:
        if demand.resource:
            return None  # devices of the plugin are the kubelet's choice: it might give the broken ones again
        demand = replace(demand, pod=replace(demand.pod, resources=Resources()))
    return best_on(snapshot, demand, node, best_fit)
