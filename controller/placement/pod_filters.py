"""What a pod requires of the pods around it, and they of it, judged for the one node that we pin.

The real scheduler checks this, too, and cannot choose another node any more. Affinity by the host's own name and
anti-affinity by any label are judged by the pods on nodes with managed GPUs; the rest of the cluster's pods are the
real scheduler's to see. Spread is ours alone: with our pin it sees one node, on which any spread is even.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.placement.demand import Demand
from controller.placement.node_rules import HOSTNAME_LABEL, affinity_matches, selector_matches, taints_tolerated
from controller.placement.peers import Peer, PodRules, Selected, Spread, Term
from controller.placement.snapshot import Node, Snapshot

Sentence = Callable[[Node], str | None]
"""Why a node is refused, None when it is not."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One pod's rules, and the pods that it is judged by."""

    snapshot: Snapshot
    demand: Demand
    rules: PodRules
    me: Peer

    def with_any(self, pods: Selected) -> frozenset[str]:
        """The names of nodes that have such a pod."""
        return frozenset(name for name, found in self.snapshot.with_pods(pods).items() if found.there)

    def values_with(self, term: Term) -> frozenset[str]:
        """The values of its label that a node with such a pod has."""
        names = self.with_any(term.pods)
        nodes = (node for node in self.snapshot.everywhere if node.name in names)
        return frozenset(node.labels[term.key] for node in nodes if term.key in node.labels)

    def values_repelling(self, term: Term) -> frozenset[str]:
        """The values of its label that a node has with a pod that requires this."""
        return frozenset(
            node.labels[term.key]
            for node in self.snapshot.everywhere
            if term.key in node.labels and any(term in peer.repels for peer in self.snapshot.peers(node))
        )


def _asked(snapshot: Snapshot, demand: Demand) -> _Asked | None:
    me = demand.peer
    return _Asked(snapshot, demand, demand.rules, me) if me is not None and demand.rules is not None else None


def _apart(asked: _Asked) -> Iterator[Sentence]:
    """The pod's required anti-affinity, and that of pods that are there, which holds both ways."""
    for term in asked.rules.repels:
        yield _excludes(asked, term)
    for term in asked.snapshot.repelling:
        if asked.me.among(term.pods):
            yield _excluded(asked, term)


def _excludes(asked: _Asked, term: Term) -> Sentence:
    by_host = term.key == HOSTNAME_LABEL
    near = asked.with_any(term.pods) if by_host else asked.values_with(term)

    def sentence(node: Node) -> str | None:
        if (node.name if by_host else node.labels.get(term.key)) not in near:
            return None
        return (
            f"node {node.name} is too near to a pod that the required podAntiAffinity by {term.key} excludes; free "
            "another node, ask for fewer replicas, or only prefer it"
        )

    return sentence


def _excluded(asked: _Asked, term: Term) -> Sentence:
    by_host = term.key == HOSTNAME_LABEL
    values = frozenset[str]() if by_host else asked.values_repelling(term)

    def sentence(node: Node) -> str | None:
        if by_host:
            near = any(term in peer.repels for peer in asked.snapshot.peers(node))
        else:
            near = node.labels.get(term.key) in values
        if not near:
            return None
        return f"node {node.name} has a pod near whose required podAntiAffinity by {term.key} excludes this one"

    return sentence


def _together(asked: _Asked) -> Iterator[Sentence]:
    """The pod's required affinity to pods on its very node; the first pod of those that want one another is alone."""
    for term in asked.rules.attracts:
        names = asked.with_any(term.pods)
        if names or not asked.me.among(term.pods):
            yield _needs(names, term)


def _needs(names: frozenset[str], term: Term) -> Sentence:
    def sentence(node: Node) -> str | None:
        if node.name in names:
            return None
        return f"node {node.name} has none of the pods that the required podAffinity by {term.key} asks for"

    return sentence


def _evenly(asked: _Asked) -> Iterator[Sentence]:
    """Each of the pod's topologySpreadConstraints with DoNotSchedule, counted over nodes with managed GPUs."""
    for spread in asked.rules.spreads:
        yield _even(asked, spread)


def _even(asked: _Asked, spread: Spread) -> Sentence:
    counts = _counts(asked, spread)
    fewest = min(counts.values(), default=0) if len(counts) >= spread.least_domains else 0
    mine = int(asked.me.among(spread.pods))

    def sentence(node: Node) -> str | None:
        value = node.labels.get(spread.key)
        if value is None:
            return f"node {node.name} has no label {spread.key}, by which the pod's topologySpreadConstraints spread"
        there = counts.get(value, 0) + mine
        if there - fewest <= spread.most_skew:
            return None
        return (
            f"node {node.name} would make {there} pods with {spread.key}={value} where another value has {fewest}, and "
            f"topologySpreadConstraints allow {spread.most_skew} more (maxSkew)"
        )

    return sentence


def _counts(asked: _Asked, spread: Spread) -> Mapping[str, int]:
    """Pods by value, of every value that a node has on which such a pod may be; pods that leave are not counted."""
    keys = [each.key for each in asked.rules.spreads]
    found, counts = asked.snapshot.with_pods(spread.pods), dict[str, int]()
    for node in asked.snapshot.everywhere:
        if all(key in node.labels for key in keys) and _eligible(asked, spread, node):
            value = node.labels[spread.key]
            counts[value] = counts.get(value, 0) + (found[node.name].staying if node.name in found else 0)
    return counts


def _eligible(asked: _Asked, spread: Spread, node: Node) -> bool:
    snapshot, demand = asked.snapshot, asked.demand
    if spread.by_affinity and (selector_matches(snapshot, demand, node) or affinity_matches(snapshot, demand, node)):
        return False
    return not (spread.by_taints and taints_tolerated(snapshot, demand, node))


def _with_ports(asked: _Asked) -> Iterator[Sentence]:
    """The ports of the host that the pod asks for must be nobody's."""

    def sentence(node: Node) -> str | None:
        for peer in asked.snapshot.peers(node):
            for wanted in asked.rules.ports if peer.ports else ():
                if any(wanted.conflicts(taken) for taken in peer.ports):
                    port = f"{wanted.port}/{wanted.protocol}"
                    return f"node {node.name} has a pod on hostPort {port}; leave hostPort out or choose another"
        return None

    if asked.rules.ports:
        yield sentence


_Rule = Callable[[_Asked], Iterator[Sentence]]
_RULES: tuple[tuple[str, _Rule], ...] = (
    ("HostPortTaken", _with_ports),
    ("PodAntiAffinity", _apart),
    ("PodAffinity", _together),
    ("TopologySpread", _evenly),
)
"""By reason, in the order in which they are named."""

PodFilter = Callable[[Snapshot, Demand, Node], str | None]


def _sentences(snapshot: Snapshot, demand: Demand) -> Sequence[tuple[str, Sentence]]:
    """All that is asked of nodes, by reason: worked out once for a demand while nothing else is tried."""

    def judge() -> Sequence[tuple[str, Sentence]]:
        asked = _asked(snapshot, demand)
        return [(reason, each) for reason, rule in _RULES for each in rule(asked)] if asked is not None else ()

    return snapshot.judged(demand, judge) if demand.rules is not None else ()


def _filter(wanted: str, rule: _Rule) -> PodFilter:
    def check(snapshot: Snapshot, demand: Demand, node: Node) -> str | None:
        found = (sentence(node) for reason, sentence in _sentences(snapshot, demand) if reason == wanted)
        return next((each for each in found if each is not None), None)

    check.__doc__ = rule.__doc__
    return check


POD_FILTERS: tuple[tuple[str, PodFilter], ...] = tuple((reason, _filter(reason, rule)) for reason, rule in _RULES)
"""The same as checks of one node."""


def limited(snapshot: Snapshot, demand: Demand) -> frozenset[str]:
    """The nodes that the pods around them close to this demand. Demands of one shape differ in it."""
    sentences = [sentence for _, sentence in _sentences(snapshot, demand)]
    if not sentences:
        return frozenset()
    return frozenset(node.name for node in snapshot.nodes if any(sentence(node) for sentence in sentences))
