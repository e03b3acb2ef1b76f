"""The nodes of one moment, by name: a table that never changes and is cheap to change.

A changed table shares with the one before all but a small part, so that a snapshot of ten thousand nodes costs what has
changed in it, and two tables of one descent tell in microseconds on which nodes they differ.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from controller.gpu.mode import Mode
from controller.placement.node import Gpu, Node, Offer, PolicyView, joined_offers
from controller.placement.peers import Found, Selected, Term, count_of
from controller.placement.quota import Account

_PARTS: Final = 256
#: Sorts of pods whose nodes are remembered with each part.
_MOST_REMEMBERED: Final = 64

IdleSort = tuple[str, str, Mode]
"""Of idle GPUs: the name of the policy that rules them, their product, and the mode that they are in."""


@dataclass(frozen=True)
class _Part:
    """Some of the nodes. Sums over them are worked out once, when somebody asks."""

    nodes: Mapping[str, Node]

    @cached_property
    def offers(self) -> Mapping[str, Offer]:
        return joined_offers(node.offers for node in self.nodes.values())

    @cached_property
    def idle(self) -> Mapping[IdleSort, tuple[Node, Gpu]]:
        """One idle GPU of each sort, with its node."""
        return {
            (node.policy.name, gpu.product, gpu.mode): (node, gpu)
            for node in self.nodes.values()
            if node.policy is not None
            for gpu in node.idle
        }

    @cached_property
    def kept_for(self) -> Mapping[str, frozenset[str]]:
        """By the uid of an owner or a claim or the key of a service, the nodes with something kept for it."""
        found: dict[str, set[str]] = {}
        for node in self.nodes.values():
            for owner in node.kept_for:
                found.setdefault(owner, set()).add(node.name)
        return {owner: frozenset(names) for owner, names in found.items()}

    @cached_property
    def claimed(self) -> Mapping[Account, int]:
        """Bytes of partitions by policy and namespace."""
        found: dict[Account, int] = {}
        for node in self.nodes.values():
            policy = node.policy
            for namespace, size in node.claimed.items() if policy is not None else ():
                account = (policy.name if policy is not None else "", namespace)
                found[account] = found.get(account, 0) + size
        return found

    @cached_property
    def partition_sizes(self) -> frozenset[int]:
        return frozenset().union(*(node.partition_sizes for node in self.nodes.values()))

    @cached_property
    def limiting(self) -> Mapping[str, Mapping[str, PolicyView]]:
        """By namespace with a quota, the policies that limit it, by name."""
        found: dict[str, dict[str, PolicyView]] = {}
        for policy in {node.policy.name: node.policy for node in self.nodes.values() if node.policy}.values():
            for namespace, quota in policy.quotas.items():
                if quota.most is not None:
                    found.setdefault(namespace, {})[policy.name] = policy
        return found

    @cached_property
    def repelling(self) -> frozenset[Term]:
        return frozenset().union(*(node.repelling for node in self.nodes.values()))

    def with_pods(self, pods: Selected) -> Mapping[str, Found]:
        """By node that has such pods, how many. The last that were asked for are remembered."""
        known: dict[Selected, Mapping[str, Found]] = self.__dict__.setdefault("_with_pods", {})
        found = known.get(pods)
        if found is None:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            counted = {node.name: count_of(pods, node.peers) for node in self.nodes.values() if node.peers}
            found = known[pods] = {name: each for name, each in counted.items() if each.there}
        return found

    @cached_property
    def claims(self) -> Mapping[str, frozenset[str]]:
        """By claim of ours, the nodes it has partitions on: more than one only while something is wrong."""
        found: dict[str, set[str]] = {}
        for node in self.nodes.values():
            for claim in node.claims:
                found.setdefault(claim, set()).add(node.name)
        return {claim: frozenset(names) for claim, names in found.items()}


_NOTHING: Final = _Part({})


class Nodes:
    """Nodes by name. Nobody changes one after it is made."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        by_part: dict[int, dict[str, Node]] = {}
        for node in nodes:
            by_part.setdefault(hash(node.name) % _PARTS, {})[node.name] = node
        parts = [_NOTHING] * _PARTS
        for number, held in by_part.items():
            parts[number] = _Part(held)
        self.parts = tuple(parts)

    def changed(self, nodes: Iterable[Node], gone: Iterable[str] = ()) -> "Nodes":
        """A table with these nodes as they are now, and without those that are gone."""
        by_part: dict[int, dict[str, Node]] = {}
        same_names = True
        for node in nodes:
            held = self._copied(by_part, node.name)
            same_names = same_names and node.name in held
            held[node.name] = node
        for name in gone:
            same_names = self._copied(by_part, name).pop(name, None) is None and same_names
        if not by_part:
            return self
        made = Nodes.__new__(Nodes)
        parts = list(self.parts)
        for number, held in by_part.items():
            parts[number] = _Part(held) if held else _NOTHING
        made.parts = tuple(parts)
        if same_names and "names" in self.__dict__:
            made.__dict__["names"] = self.names
        return made

    def _copied(self, by_part: dict[int, dict[str, Node]], name: str) -> dict[str, Node]:
        number = hash(name) % _PARTS
        if number not in by_part:
            by_part[number] = dict(self.parts[number].nodes)
        return by_part[number]

    def get(self, name: str) -> Node | None:
        """The node of that name, None when there is none."""
        return self.parts[hash(name) % _PARTS].nodes.get(name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(sorted(name for part in self._held() for name in part.nodes))

    @cached_property
    def all(self) -> tuple[Node, ...]:
        """All nodes, by name."""
        merged: dict[str, Node] = {}
        for part in self._held():
            merged.update(part.nodes)
        return tuple(merged[name] for name in self.names)

    def differing(self, other: "Nodes") -> Iterator[str]:
        """The names under which the other table has another node, or none, or one that is not here."""
        for mine, theirs in zip(self.parts, other.parts, strict=True):
            if mine is not theirs:
                for name in mine.nodes.keys() | theirs.nodes.keys():
                    if mine.nodes.get(name) is not theirs.nodes.get(name):
                        yield name

    @cached_property
    def offers(self) -> Mapping[str, Offer]:
        """By product what GPUs could give at the most, whoever holds them."""
        return joined_offers(part.offers for part in self._held())

    @cached_property
    def idle(self) -> Collection[tuple[Node, Gpu]]:
        """Of the GPUs that nobody holds one of each product and mode under each policy, with its node."""
        found: dict[IdleSort, tuple[Node, Gpu]] = {}
        for part in self._held():
            found.update(part.idle)
        return found.values()

    @cached_property
    def kept_for(self) -> Mapping[str, frozenset[str]]:
        """By the uid of an owner of pods or of a claim, or a service's key, the nodes with something kept for it."""
        found: dict[str, frozenset[str]] = {}
        for part in self._held():
            for owner, names in part.kept_for.items():
                found[owner] = found.get(owner, frozenset()) | names
        return found

    @cached_property
    def claimed(self) -> Mapping[Account, int]:
        """Bytes of the partitions that claims have, by policy and namespace."""
        found: dict[Account, int] = {}
        for part in self._held():
            for account, size in part.claimed.items():
                found[account] = found.get(account, 0) + size
        return found

    @cached_property
    def partition_sizes(self) -> frozenset[int]:
        """The sizes of partitions that there are, bytes."""
        return frozenset().union(*(part.partition_sizes for part in self._held()))

    @cached_property
    def repelling(self) -> frozenset[Term]:
        """What pods on one of the nodes require to be far from."""
        return frozenset().union(*(part.repelling for part in self._held()))

    def with_pods(self, pods: Selected) -> Mapping[str, Found]:
        """By node that has such pods, how many."""
        found: dict[str, Found] = {}
        for part in self._held():
            found.update(part.with_pods(pods))
        return found

    @cached_property
    def _limiting(self) -> Mapping[str, Mapping[str, PolicyView]]:
        found: dict[str, dict[str, PolicyView]] = {}
        for part in self._held():
            for namespace, policies in part.limiting.items():
                found.setdefault(namespace, {}).update(policies)
        return found

    def limiting(self, namespace: str) -> Collection[PolicyView]:
        """The policies, one a name, under which the namespace may have no more than a quota."""
        return self._limiting.get(namespace, {}).values()

    def with_claim(self, claim: str) -> tuple[str, ...]:
        """The nodes on which the claim `namespace/name` of ours has partitions: one, or none."""
        return tuple(sorted({name for part in self._held() for name in part.claims.get(claim, ())}))

    def _held(self) -> Iterator[_Part]:
        return (part for part in self.parts if part is not _NOTHING)
