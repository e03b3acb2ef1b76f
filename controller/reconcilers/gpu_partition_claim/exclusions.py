"""Nodes that a pod's successor must not try again until something there changes."""

from collections.abc import Hashable


class Exclusions:
    """Per owner: nodes left out, each with what was seen there. Kept in memory only: losing it costs one more try."""

    def __init__(self) -> None:
        self._by_owner: dict[str, dict[str, Hashable]] = {}

    def exclude(self, owner: str, node: str, seen: Hashable) -> None:
        """Leave `node` out for pods of `owner` while what is seen there stays `seen`."""
        self._by_owner.setdefault(owner, {})[node] = seen

    def excluded(self, owner: str, seen_now: dict[str, Hashable]) -> frozenset[str]:
        """The nodes still left out, given what is seen now; those that changed are forgotten."""
        nodes = self._by_owner.get(owner)
        if nodes is None:
            return frozenset()
        for node in [node for node, seen in nodes.items() if seen_now.get(node) != seen]:
            del nodes[node]
        if not nodes:
            del self._by_owner[owner]
        return frozenset(nodes)
