"""Pods beside which a pod may stand, and what Kubernetes lets it ask of them: affinity, spread, ports of the host."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from controller.placement.expression import Expression, value_matches

Labels = Mapping[str, str]

EVERY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - Kubernetes' word, nothing is opened here
"""Where a port is taken at every address of its node."""


class HostPort(NamedTuple):
    """A port that a container takes of its node. `ip` "0.0.0.0" takes it at every address."""

    port: int
    protocol: str = "TCP"
    ip: str = EVERY_ADDRESS

    def conflicts(self, other: "HostPort") -> bool:
        """Whether no node can give both."""
        same = self.ip == other.ip or EVERY_ADDRESS in (self.ip, other.ip)
        return same and (self.port, self.protocol) == (other.port, other.protocol)


@dataclass(frozen=True, slots=True)
class Selected:
    """Pods by their labels, which all of `selector` must match, and their namespaces; None: those of any."""

    selector: tuple[Expression, ...]
    namespaces: frozenset[str] | None

    def matches(self, namespace: str, labels: Labels) -> bool:
        """Whether a pod with these labels is meant."""
        named = self.namespaces is None or namespace in self.namespaces
        return named and all(label_matches(each, labels) for each in self.selector)


@dataclass(frozen=True, slots=True)
class Term:
    """Those pods on the nodes that have one value of the label `key`."""

    key: str
    pods: Selected


@dataclass(frozen=True, slots=True)
class Spread:
    """By the label `key`, no value may have over `most_skew` pods more than the one that has fewest.

    With fewer values than `least_domains` the fewest are none. `eligible` nodes are those of the pod's nodeSelector and
    node affinity, and with `by_taints` those whose taints it tolerates.
    """

    key: str
    most_skew: int
    pods: Selected
    least_domains: int = 1
    by_affinity: bool = True
    by_taints: bool = False


@dataclass(frozen=True, slots=True)
class PodRules:
    """A pod's labels, and what it requires of the pods around it: to be apart, together, evenly spread, with ports.

    `prefers`: pods that it would rather have few of around it (ScheduleAnyway).
    """

    labels: Labels = field(default_factory=dict, hash=False)
    repels: tuple[Term, ...] = ()
    attracts: tuple[Term, ...] = ()
    spreads: tuple[Spread, ...] = ()
    ports: tuple[HostPort, ...] = ()
    prefers: tuple[Term, ...] = ()

    @property
    def limit(self) -> bool:
        """Whether anything is required."""
        return bool(self.repels or self.attracts or self.spreads or self.ports)


NO_RULES: Final = PodRules()


@dataclass(frozen=True, slots=True)
class Peer:
    """A pod that is on a node, or is bound to it. `claim` is its claim of ours, `namespace/name`, "" for others.

    `leaving`: it is being deleted, and counts until it is gone, but for spread.
    """

    claim: str
    namespace: str
    labels: Labels = field(default_factory=dict, hash=False)
    repels: tuple[Term, ...] = ()
    ports: tuple[HostPort, ...] = ()
    leaving: bool = False

    def among(self, pods: Selected) -> bool:
        """Whether it is one of those."""
        return pods.matches(self.namespace, self.labels)


class Found(NamedTuple):
    """How many pods of a sort are there, and how many of them will stay."""

    there: int
    staying: int


def count_of(pods: Selected, peers: Iterable[Peer]) -> Found:
    """Those among the peers."""
    leaving = [peer.leaving for peer in peers if peer.among(pods)]
    return Found(len(leaving), len(leaving) - sum(leaving))


def label_matches(expression: Expression, labels: Labels) -> bool:
    """Kubernetes' rule for one requirement of a label selector. Raises ValueError for another operator."""
    found = value_matches(expression, labels.get(expression.key))
    if found is None:
        raise ValueError(f"label selector operator {expression.operator!r} is none of Kubernetes' four")
    return found
