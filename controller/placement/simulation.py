"""The published experiment: pods arrive until they ask for more than there is, and none leaves.

The pods of a trace come in random order, followed by ones drawn from it until all ask for 130 % of the cluster's GPU
(Weng et al., USENIX ATC'23: tuned to 1.3, shuffled, seeds 42 to 51). A pod that fits nowhere is dropped. What is
measured is the share of the cluster's GPU that is allocated once so much has been asked for.

Every decision is the operator's: its ModelScheduler chooses, by the scorers that it uses. What it looks at is a table
of hosts instead of a cluster's snapshot.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Final, NamedTuple

from controller.placement.packing.host import WHOLE, Ask, Host, share_left
from controller.placement.packing.scorers.named import scorer_named
from controller.placement.packing.scorers.scorer import Scorer
from controller.placement.packing.table import ScoreTable
from controller.placement.packing.workload import Workload
from controller.placement.scheduler import ModelScheduler
from controller.placement.trace import TraceNode

#: All that arrives, in hundredths of the cluster's GPU.
ARRIVING: Final = 130
#: At how much asked for, in hundredths, allocation is reported.
REPORTED: Final = (100, 130)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: by hundredths of the cluster's GPU asked for, the hundredths allocated; how many pods were placed."""

    allocation_percent: Mapping[int, float]
    placed: int


class Spot(NamedTuple):
    """A host with a place for a pod. The lower the better: by rank, of equal ones the first."""

    rank: int
    host: int

    @property
    def order(self) -> tuple[int, int]:
        """Itself."""
        return self


class _OnTable:
    """The table as what a scheduler searches. `ties`: of equally good hosts any one."""

    def __init__(self, table: ScoreTable, ties: Random | None) -> None:
        self._table = table
        self._ties = ties

    def candidates(self, pod: int) -> tuple[Spot, ...]:
        """The host with the best place for a kind of pod."""
        found = self._table.best(pod, self._ties)
        return () if found is None else (Spot(self._table.rank(pod, found), found),)


class Experiment:
    """A cluster and a trace, run with one scorer for many seeds. What is learnt of hosts' states is kept between runs.

    `first` ties follow the nodes' names by their digests: the lowest name is the published rule, but the names in the
    published list follow the hardware, and those of the cluster it was measured on did not (see docs/packing.md).
    """

    def __init__(
        self,
        nodes: Sequence[TraceNode],
        pods: Sequence[Ask],
        scorer: Scorer,
        left: Callable[[int, int], int] = share_left,
    ) -> None:
        ordered = sorted(nodes, key=lambda node: sha256(node.name.encode()).digest())
        self._hosts = [Host(node.cpu_milli, node.memory_mib, (WHOLE,) * node.gpus, node.model) for node in ordered]
        self._capacity = sum(node.gpus for node in nodes) * WHOLE
        self._asks = tuple(dict.fromkeys(pods))
        number = {ask: place for place, ask in enumerate(self._asks)}
        self._pods = [number[pod] for pod in pods]
        self._scorer = scorer
        self._table = ScoreTable(self._hosts, self._asks, scorer, left)
        self._scheduler = ModelScheduler()

    @classmethod
    def named(
        cls,
        scorer: str,
        nodes: Sequence[TraceNode],
        pods: Sequence[Ask],
        left: Callable[[int, int], int] = share_left,
    ) -> "Experiment":
        """With the scorer of that name, told how common the trace's kinds of pods are. Raises KeyError for others."""
        capacity: Counter[str] = Counter()
        for node in nodes:
            capacity[node.model] += node.gpus * WHOLE
        return cls(nodes, pods, scorer_named(scorer, Workload.counted(pods), capacity, left), left)

    def run(self, seed: int, *, random_ties: bool = False, seen: Callable[[int], None] | None = None) -> Outcome:
        """One order of arrivals. `seen` is called for every pod with how much was asked for so far, in thousandths."""
        table = self._table
        table.reset(self._hosts)
        ties = Random(seed + 1) if random_ties else None  # noqa: S311 - guards nothing
        search, choose = _OnTable(table, ties), self._scheduler.choose
        any_piece = ties if self._scorer.name == "random" else None
        asked = allocated = placed = 0
        curve = Curve(self._capacity)
        for pod in self.arrivals(seed):
            wanted = self._asks[pod].gpu_milli
            asked += wanted
            spot = choose(search, pod)
            if spot is not None:
                table.place(pod, spot.host, any_piece)
                allocated += wanted
                placed += 1
            curve.add(asked, allocated)
            if seen is not None:
                seen(asked)
        return Outcome(curve.percent(), placed)

    @property
    def hosts(self) -> Sequence[Host]:
        """The empty nodes, in the order of `first` ties."""
        return self._hosts

    @property
    def asks(self) -> Sequence[Ask]:
        """The kinds of pods, by the numbers that arrivals have."""
        return self._asks

    def arrivals(self, seed: int) -> Iterator[int]:
        """The order of one seed: the trace's pods, and ones drawn from it until there are enough."""
        chance = Random(seed)  # noqa: S311 - replays an experiment, guards nothing
        order = list(self._pods)
        chance.shuffle(order)
        asked = sum(self._asks[pod].gpu_milli for pod in order)
        most = self._capacity * ARRIVING // 100
        while asked > most:
            asked -= self._asks[order.pop(chance.randrange(len(order)))].gpu_milli
        yield from order
        while True:
            pod = self._pods[chance.randrange(len(self._pods))]
            if asked + self._asks[pod].milli > most:
                return
            asked += self._asks[pod].gpu_milli
            yield pod


class Curve:
    """As published: the mean over all pods at which, rounded to hundredths, so much had been asked for.

    On a small cluster there may be none; then what was allocated at the last pod before.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._sums = dict.fromkeys(REPORTED, 0)
        self._counts = dict.fromkeys(REPORTED, 0)
        self._before = dict.fromkeys(REPORTED, 0)

    def add(self, asked: int, allocated: int) -> None:
        """After each pod: what was asked for and allocated so far, in thousandths."""
        percent = round(asked * 100 / self._capacity)
        if percent in self._sums:
            self._sums[percent] += allocated
            self._counts[percent] += 1
        for mark in REPORTED:
            if percent < mark:
                self._before[mark] = allocated

    def percent(self) -> Mapping[int, float]:
        """By what was asked for, what was allocated, both in hundredths of the cluster's GPU."""
        means = {
            mark: self._sums[mark] / count if count else self._before[mark] for mark, count in self._counts.items()
        }
        return {mark: found * 100 / self._capacity for mark, found in means.items()}
