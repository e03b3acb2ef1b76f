"""The scorer that a node's policy names, applied to the partitions of a snapshot.

What an idle partition is worth is reckoned as if it could be divided: large ones are kept for large claims, and a mode
change may divide them. A node without a policy is scored by the default. While too few claims were seen to expect
anything, and where a policy says bestfit, the tightest partition is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from controller.placement.demand import Demand
from controller.placement.expectation import Expectation, Shape
from controller.placement.filters import kept_for
from controller.placement.hosts import Hosts, Seen
from controller.placement.packing.host import WHOLE, Ask, Host
from controller.placement.packing.scorers.named import partition_scorer_named
from controller.placement.packing.scorers.scorer import ByPieces, Scorer, Taking
from controller.placement.packing.workload import Workload
from controller.placement.scores import Score, best_fit
from controller.placement.snapshot import Gpu, Node, Partition, Snapshot

DEFAULT: Final = "default"
BEST_FIT: Final = "bestfit"
#: Costs are compared in whole steps of so many bytes of GPU memory, about a millionth of a GPU: finer differences are
#: rounding.
_STEP_BYTES: Final = 256 << 10
#: More than any GPU has partitions, or any node GPUs.
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a demand takes of a host at one place: `ask`, of which `count` pieces of a size are given, if there are."""

    ask: Ask
    piece: int


class _Rule(Protocol):
    """How a scorer is asked about one place."""

    def cost(self, seen: Seen, wanted: _Wanted) -> float: ...


class ByPolicy:
    """Scores by what is expected. Within one mix an answer depends on the demand's shape and on the node alone."""

    def __init__(self, expectation: Expectation) -> None:
        self._expectation = expectation
        self._mix: Mapping[Shape, float] = {}
        self._rules: dict[tuple[str, int], _Rule] = {}
        self._hosts = Hosts()

    def __call__(self, snapshot: Snapshot, demand: Demand, node: Node, gpu: Gpu, partition: Partition) -> Score:
        """The place kept for it, then what the scorer says.

        Of equal ones the smallest, then one on a GPU in use, on the node with the fewest idle GPUs, on the fullest GPU.
        """
        name = node.policy.scorer if node.policy is not None else DEFAULT
        if name == BEST_FIT or not self._expectation.mix:
            return best_fit(snapshot, demand, node, gpu, partition)
        seen = self._hosts.of(snapshot, node)
        size, need = seen.bytes[gpu.bdf], demand.requirement
        ask = _ask(demand.pod.resources.cpu_milli, need.bytes, need.count, size)
        piece = partition.bytes * WHOLE // size
        thousandths = self._rule(name, size).cost(seen, _Wanted(ask, piece))
        cost = round(thousandths * size / WHOLE / _STEP_BYTES)  # in bytes, for GPUs differ in size
        elsewhere = 0 if kept_for(partition, demand) else 1
        breaks = seen.free[gpu.bdf] == len(gpu.partitions)
        tie = ((partition.bytes * 2 + breaks) * _MOST + seen.idle) * _MOST + seen.free[gpu.bdf]
        return elsewhere, cost, tie, node.name, gpu.bdf, partition.id.index

    def _rule(self, name: str, size: int) -> _Rule:
        if self._mix is not self._expectation.mix:
            self._mix = self._expectation.mix
            self._rules.clear()
            self._hosts.forget()
        found = self._rules.get((name, size))
        if found is None:
            asks = ((_ask(cpu, need, count, size), share) for (cpu, need, count), share in self._mix.items())
            scorer = partition_scorer_named(name, Workload.weighted(asks))
            found = self._rules[name, size] = _BySums(scorer) if isinstance(scorer, ByPieces) else _ByHosts(scorer)
        return found


class _BySums:
    """Of a scorer that sums over pieces: the host before is looked at once, the one afterwards never made."""

    def __init__(self, scorer: ByPieces) -> None:
        self._scorer = scorer

    def cost(self, seen: Seen, wanted: _Wanted) -> float:
        ask, piece = wanted.ask, wanted.piece
        given = min(ask.count, seen.host.pieces.count(piece))
        left = max(0, seen.host.cpu_milli - ask.cpu_milli)
        lost = -given * self._scorer.remainders[piece]
        taking = Taking(left, given * piece, given * piece - ask.gpu_milli, lost)
        return float(self._scorer.taken(seen.standing(self._scorer), taking))


class _ByHosts:
    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def cost(self, seen: Seen, wanted: _Wanted) -> float:
        return float(self._scorer.cost(seen.host, _without(seen.host, wanted), wanted.ask))


def _ask(cpu_milli: int, size: int, count: int, gpu_bytes: int) -> Ask:
    """Rounded up to a thousandth of the GPU; what needs more than one asks for all of it."""
    return Ask(cpu_milli, 0, count, min(WHOLE, max(1, -(-size * WHOLE // gpu_bytes))))


def _without(host: Host, wanted: _Wanted) -> Host:
    """The host when so many of its pieces of that size are given away, or those there are."""
    pieces = list(host.pieces)
    for _ in range(wanted.ask.count):
        if wanted.piece in pieces:
            pieces.remove(wanted.piece)
    return Host(max(0, host.cpu_milli - wanted.ask.cpu_milli), 0, tuple(pieces), host.model, divisible=False)
