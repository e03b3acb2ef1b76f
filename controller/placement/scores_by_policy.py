"""The scorer that a node's policy names, applied to the partitions of a snapshot.

The scorers of `packing` see a node as a host: its free partitions are pieces that go as wholes, in thousandths of their
GPU; CPU counts, memory does not. What an idle partition is worth is reckoned as if it could be divided: large ones are
kept for large claims, and a mode change may divide them. A node without a policy is scored by the default. While too
few claims were seen to expect anything, and where a policy says bestfit, the tightest partition is taken.
"""

from collections.abc import Mapping
from typing import Final

from controller.placement.demand import Demand
from controller.placement.expectation import Expectation, Shape
from controller.placement.filters import kept_for
from controller.placement.packing.host import WHOLE, Ask, Host
from controller.placement.packing.scorers.named import scorer_named
from controller.placement.packing.scorers.scorer import Scorer
from controller.placement.packing.workload import Workload
from controller.placement.scores import Score, best_fit
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot

DEFAULT: Final = "default"
BEST_FIT: Final = "bestfit"
#: Costs are compared in millionths of a GPU: finer differences are rounding.
_STEPS: Final = 1_000


class ByPolicy:
    """Scores by what is expected. Within one mix an answer depends on the demand's shape and on the node alone."""

    def __init__(self, expectation: Expectation) -> None:
        self._expectation = expectation
        self._mix: Mapping[Shape, float] = {}
        self._scorers: dict[tuple[str, int], Scorer] = {}

    def __call__(self, snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> Score:
        """The place kept for it, then what the scorer says, then as best fit."""
        tightest = best_fit(snapshot, demand, node, gpu, partition)
        name = node.policy.scorer if node.policy is not None else DEFAULT
        if name == BEST_FIT or not self._expectation.mix:
            return tightest
        size = _bytes(gpu)
        ask = _ask(demand.pod.resources.cpu_milli, demand.requirement.bytes, demand.requirement.count, size)
        before = host_of(snapshot, node)
        after = _without(before, ask, partition.bytes * WHOLE // size, demand.requirement.count)
        cost = self._scorer(name, size).cost(before, after, ask)
        elsewhere = 0 if kept_for(partition, demand) else 1
        return elsewhere, round(cost * _STEPS), *tightest[2:]

    def _scorer(self, name: str, size: int) -> Scorer:
        if self._mix is not self._expectation.mix:
            self._mix = self._expectation.mix
            self._scorers.clear()
        found = self._scorers.get((name, size))
        if found is None:
            asks = ((_ask(cpu, need, count, size), share) for (cpu, need, count), share in self._mix.items())
            found = self._scorers[name, size] = scorer_named(name, Workload.weighted(asks), {})
        return found


def host_of(snapshot: Snapshot, node: Node) -> Host:
    """The node as scorers see it: its free partitions that are fit for use, the smallest first."""
    pieces: list[int] = []
    for gpu in node.gpus:
        size = _bytes(gpu)
        for alike in gpu.alike:
            one = alike.partitions[0]
            if one.healthy and not one.quarantined:
                pieces += [one.bytes * WHOLE // size] * len(snapshot.free_of(node, gpu, alike))
    pieces.sort()
    left = node.allocatable.minus(snapshot.used(node))
    return Host(max(0, left.cpu_milli), 0, tuple(pieces), divisible=False)


def _bytes(gpu: Gpu) -> int:
    """Memory of the GPU as its partitions have it."""
    return max(1, sum(alike.partitions[0].bytes * len(alike.partitions) for alike in gpu.alike))


def _ask(cpu_milli: int, size: int, count: int, gpu_bytes: int) -> Ask:
    """Rounded up to a thousandth of the GPU; what needs more than one asks for all of it."""
    return Ask(cpu_milli, 0, count, min(WHOLE, max(1, -(-size * WHOLE // gpu_bytes))))


def _without(host: Host, ask: Ask, piece: int, count: int) -> Host:
    """The host when `count` of its pieces of that size are given away, or those there are."""
    pieces = list(host.pieces)
    for _ in range(count):
        if piece in pieces:
            pieces.remove(piece)
    return Host(max(0, host.cpu_milli - ask.cpu_milli), 0, tuple(pieces), host.model, divisible=False)
