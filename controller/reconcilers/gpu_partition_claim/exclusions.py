"""Nodes that a pod's successor must not try again until something there changes."""

from collections.abc import Callable, Hashable

from controller.placement.snapshot import Node, Snapshot


class Exclusions:
    """Per owner: nodes left out, each with what was seen there. Kept in memory only: losing it costs one more try."""

    def __init__(self) -> None:
        self._by_owner: dict[str, dict[str, Hashable]] = {}

    def exclude(self, owner: str, node: str, snapshot: Snapshot) -> None:
        """Leave `node` out for pods of `owner` while modes and free partitions there stay as they are."""
        present = snapshot.node(node)
        if present is not None:
            self._by_owner.setdefault(owner, {})[node] = _seen(present)

    def excluded(self, owner: str, snapshot: Callable[[], Snapshot]) -> frozenset[str]:
        """The nodes still left out; those that changed are forgotten. A snapshot is taken only when one is needed."""
        nodes = self._by_owner.get(owner)
        if nodes is None:
            return frozenset()
        present_nodes = snapshot()
        for name, seen in list(nodes.items()):
            present = present_nodes.node(name)
            if present is None or _seen(present) != seen:
                del nodes[name]
        if not nodes:
            del self._by_owner[owner]
        return frozenset(nodes)


def _seen(node: Node) -> Hashable:
    return tuple(
        (gpu.bdf, gpu.mode, tuple(partition.holder is None for partition in gpu.partitions)) for gpu in node.gpus
    )
