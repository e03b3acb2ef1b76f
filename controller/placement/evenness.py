"""Of places that are equally good for packing, the one with the fewest pods that this one would rather be far from.

What a pod's topologySpreadConstraints ask for with ScheduleAnyway breaks ties, and nothing more: a score that is better
by anything wins. Replicas that ask for nothing are not spread, for nodes that are whole are kept for pods of several
partitions.
"""

from collections.abc import Sequence

from controller.placement.candidates import Choice
from controller.placement.demand import Demand
from controller.placement.node_rules import HOSTNAME_LABEL
from controller.placement.peers import Term, count_of
from controller.placement.snapshot import Node, Snapshot


def evenest(snapshot: Snapshot, demand: Demand, places: Sequence[Choice]) -> Choice:
    """The place in whose domains the fewest of those pods are; of equal ones the first. Raises ValueError for none."""
    terms = demand.rules.prefers if demand.rules is not None else ()

    def crowd(place: Choice) -> int:
        return sum(_near(snapshot, term, place.placed.node) for term in terms)

    return min(places, key=lambda place: (crowd(place), place.order))


def _near(snapshot: Snapshot, term: Term, node: Node) -> int:
    """How many of the pods that stay share the node's value of the label."""
    if term.key == HOSTNAME_LABEL:
        return count_of(term.pods, snapshot.peers(node)).staying
    found, value = snapshot.with_pods(term.pods), node.labels.get(term.key)
    near = (each.name for each in snapshot.everywhere if each.labels.get(term.key) == value)
    return sum(found[name].staying for name in near if name in found)
