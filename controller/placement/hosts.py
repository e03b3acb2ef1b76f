"""Nodes as the scorers of `packing` see them: hosts whose free partitions are pieces that go as wholes.

Pieces are in thousandths of their GPU; CPU counts, memory does not. What a node is like is worked out once and kept
while it stays so: a node is asked about for every GPU it has and for every shape of demand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controller.placement.packing.host import WHOLE, Host
from controller.placement.packing.scorers.scorer import ByPieces, Scorer, Standing
from controller.placement.snapshot import Gpu, Node, Snapshot

#: Nodes that are remembered; one takes some 2 kB. Beyond them all are forgotten, and looked at again as they are asked
#: for.
MOST_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A node as it was looked at: as a host, and by GPU its memory in bytes and how many partitions nobody holds.

    `idle` counts the GPUs of which nobody holds any.
    """

    node: Node
    tried: object
    host: Host
    bytes: Mapping[str, int]
    free: Mapping[str, int]
    idle: int
    _standings: dict[int, tuple[Scorer, Standing]] = field(default_factory=dict)

    def standing(self, scorer: ByPieces) -> Standing:
        """What the scorer makes of the host."""
        found = self._standings.get(id(scorer))
        if found is None or found[0] is not scorer:
            found = self._standings[id(scorer)] = scorer, scorer.standing(self.host)
        return found[1]


class Hosts:
    """Looks at nodes, and remembers. Mutable, private to a scorer."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def of(self, snapshot: Snapshot, node: Node) -> Seen:
        """The node as it is in the snapshot, with what is tried there."""
        tried, seen = snapshot.tried(node), self._seen.get(node.name)
        if seen is None or seen.node is not node or seen.tried is not tried:
            if len(self._seen) >= MOST_REMEMBERED:
                self._seen.clear()
            seen = self._seen[node.name] = _seen(snapshot, node)
        return seen

    def forget(self) -> None:
        """Begin anew: the scorers that standings were made by are gone."""
        self._seen.clear()


def _seen(snapshot: Snapshot, node: Node) -> Seen:
    pieces: list[int] = []
    sizes: dict[str, int] = {}
    free: dict[str, int] = {}
    for gpu in node.gpus:
        size, number = sizes.setdefault(gpu.bdf, _bytes(gpu)), 0
        for alike in gpu.alike:
            one, there = alike.partitions[0], len(snapshot.free_of(node, gpu, alike))
            number += there
            if one.healthy and not one.quarantined:
                pieces += [one.bytes * WHOLE // size] * there
        free[gpu.bdf] = number
    pieces.sort()
    left = node.allocatable.minus(snapshot.used(node))
    host = Host(max(0, left.cpu_milli), 0, tuple(pieces), divisible=False)
    idle = sum(free[gpu.bdf] == len(gpu.partitions) for gpu in node.gpus)
    return Seen(node, snapshot.tried(node), host, sizes, free, idle)


def _bytes(gpu: Gpu) -> int:
    """Memory of the GPU as its partitions have it."""
    return max(1, sum(alike.partitions[0].bytes * len(alike.partitions) for alike in gpu.alike))
