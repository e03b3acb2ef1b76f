"""What a pod requires of the pods around it, and they of it, judged for the one node that we pin.

The real scheduler checks this, too, and cannot choose another node any more. Affinity by the host's own name and
anti-affinity by any label are judged by the pods on nodes with managed GPUs; the rest of the cluster's pods are the
real scheduler's to see. Spread is ours alone: with our pin it sees one node, on which any spread is even.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.placement.demand import Demand, PodConstraints
from controller.placement.node_rules import HOSTNAME_LABEL, affinity_matches, selector_matches, taints_tolerated
from controller.placement.peers import Peer, Selected, Spread, Term
from controller.placement.snapshot import Node, Snapshot


@dataclass(frozen=True, slots=True)
class _Counted:
    """Pods to be counted by values of `key`. `eligible`: on nodes for such a pod alone, that have all of `keys`."""

    key: str
    pods: Selected
    live: bool = False
    keys: tuple[str, ...] = ()
    eligible: PodConstraints | None = None
    by_affinity: bool = False
    by_taints: bool = False

    def value(self, node: Node, judged: Demand | None) -> str | None:
        """The node's value of the label; None when nothing is counted there."""
        if any(key not in node.labels for key in self.keys):
            return None
        if judged is not None and not self._takes(node, judged):
            return None
        return node.labels.get(self.key)

    def _takes(self, node: Node, judged: Demand) -> bool:
        nowhere = Snapshot(())
        if self.by_affinity and (selector_matches(nowhere, judged, node) or affinity_matches(nowhere, judged, node)):
            return False
        return not (self.by_taints and taints_tolerated(nowhere, judged, node))

    def of(self, peers: tuple[Peer, ...]) -> int:
        """How many of the pods count."""
        return sum(not (self.live and peer.leaving) and peer.among(self.pods) for peer in peers)


def _by_value(snapshot: Snapshot, demand: Demand, counted: _Counted) -> Mapping[str, int]:
    """How many there are by value, what is tried included; every value that some node has is there."""
    judged = demand if counted.eligible is not None else None

    def count(nodes: Snapshot) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for node in nodes.everywhere:
            value = counted.value(node, judged)
            if value is not None:
                found[value] = found.get(value, 0) + counted.of(nodes.peers(node))
        return found

    return snapshot.recall(counted, lambda: count(snapshot))


def keeps_apart(snapshot: Snapshot, demand: Demand, node: Node) -> str | None:
    """The pod's required anti-affinity, and that of pods that are there, which holds both ways."""
    me, rules = demand.peer, demand.rules
    if me is None or rules is None:
        return None
    for term in rules.repels:
        if _there(snapshot, demand, node, term):
            return (
                f"node {node.name} is too near to a pod that the required podAntiAffinity by {term.key} excludes; free "
                "another node, ask for fewer replicas, or only prefer it"
            )
    for term in snapshot.repelling:
        if me.among(term.pods) and _repelled(snapshot, node, term):
            return f"node {node.name} has a pod near whose required podAntiAffinity by {term.key} excludes this one"
    return None


def _there(snapshot: Snapshot, demand: Demand, node: Node, term: Term) -> bool:
    if term.key == HOSTNAME_LABEL:
        return any(peer.among(term.pods) for peer in snapshot.peers(node))
    value = node.labels.get(term.key)
    return value is not None and _by_value(snapshot, demand, _Counted(term.key, term.pods)).get(value, 0) > 0


def _repelled(snapshot: Snapshot, node: Node, term: Term) -> bool:
    if term.key == HOSTNAME_LABEL:
        return any(term in peer.repels for peer in snapshot.peers(node))
    value = node.labels.get(term.key)
    return value is not None and value in snapshot.recall(term, lambda: _repelling_values(snapshot, term))


def _repelling_values(snapshot: Snapshot, term: Term) -> Mapping[str, int]:
    return {
        node.labels[term.key]: 1
        for node in snapshot.everywhere
        if term.key in node.labels and any(term in peer.repels for peer in snapshot.peers(node))
    }


def keeps_together(snapshot: Snapshot, demand: Demand, node: Node) -> str | None:
    """The pod's required affinity to pods on its very node; the first pod of those that want one another is alone."""
    me, rules = demand.peer, demand.rules
    if me is None or rules is None:
        return None
    for term in rules.attracts:
        if any(peer.among(term.pods) for peer in snapshot.peers(node)):
            continue
        first = me.among(term.pods) and not any(_by_value(snapshot, demand, _Counted(term.key, term.pods)).values())
        if not first:
            return f"node {node.name} has none of the pods that the required podAffinity by {term.key} asks for"
    return None


def spreads_evenly(snapshot: Snapshot, demand: Demand, node: Node) -> str | None:
    """Each of the pod's topologySpreadConstraints with DoNotSchedule, counted over nodes with managed GPUs."""
    me, rules = demand.peer, demand.rules
    if me is None or rules is None:
        return None
    keys = tuple(spread.key for spread in rules.spreads)
    for spread in rules.spreads:
        value = node.labels.get(spread.key)
        if value is None:
            return f"node {node.name} has no label {spread.key}, by which the pod's topologySpreadConstraints spread"
        counts = _by_value(snapshot, demand, _counted(spread, keys, demand))
        fewest = min(counts.values(), default=0) if len(counts) >= spread.least_domains else 0
        there = counts.get(value, 0) + me.among(spread.pods)
        if there - fewest > spread.most_skew:
            return (
                f"node {node.name} would make {there} pods with {spread.key}={value} where another value has {fewest}, "
                f"and topologySpreadConstraints allow {spread.most_skew} more (maxSkew)"
            )
    return None


def _counted(spread: Spread, keys: tuple[str, ...], demand: Demand) -> _Counted:
    return _Counted(spread.key, spread.pods, True, keys, demand.pod, spread.by_affinity, spread.by_taints)


def ports_free(snapshot: Snapshot, demand: Demand, node: Node) -> str | None:
    """The ports of the host that the pod asks for must be nobody's."""
    for wanted in demand.rules.ports if demand.rules is not None else ():
        for peer in snapshot.peers(node):
            if any(wanted.conflicts(taken) for taken in peer.ports):
                return (
                    f"node {node.name} has a pod on hostPort {wanted.port}/{wanted.protocol}; leave hostPort out or "
                    "choose another"
                )
    return None


PodFilter = Callable[[Snapshot, Demand, Node], str | None]

POD_FILTERS: tuple[tuple[str, PodFilter], ...] = (
    ("HostPortTaken", ports_free),
    ("PodAntiAffinity", keeps_apart),
    ("PodAffinity", keeps_together),
    ("TopologySpread", spreads_evenly),
)
"""By reason, in the order in which they are named."""


def limited(snapshot: Snapshot, demand: Demand) -> frozenset[str]:
    """The nodes that the pods around them close to this demand. Demands of one shape differ in it."""
    me, rules = demand.peer, demand.rules
    if me is None or rules is None:
        return frozenset()
    if not rules.limit and not any(me.among(term.pods) for term in snapshot.repelling):
        return frozenset()
    return frozenset(
        node.name for node in snapshot.nodes if any(check(snapshot, demand, node) for _, check in POD_FILTERS)
    )
