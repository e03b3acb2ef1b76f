"""How well the default scorer packs the published traces, beside the published policies and what is possible at all.

Every trace, with ties broken by the first node and at random, ten orders of arrival: ours, FGD in a numpy port of its
own (`peers.py`), and on two traces the other policies. Means, with the extremes of the runs as spread. Then decisions a
second, by the processor's time of this process, so that a busy machine counts less, and how they slow down on more nodes.
"""

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from controller.placement.packing.host import WHOLE, Ask
from controller.placement.packing.workload import Workload
from controller.placement.simulation import Experiment
from controller.placement.trace import TraceNode, trace_nodes, trace_pods
from e2e.plane.progress import Progress
from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.packing import learnt
from tests.benchmarks.packing.bound import bounds_of
from tests.benchmarks.packing.peers import PEERS, Port
from tests.benchmarks.report import Report, Row, figure, row
from tests.benchmarks.thresholds import Bound, bounds

NAME = "packing"
FOLDER = Path("tests/data/openb")
TRACES: Sequence[str] = ("default", "cpu250", "gpuspec33", "gpushare100", "multigpu50")
WITH_ALL_POLICIES: Sequence[str] = ("default", "cpu250")
SEEDS: Sequence[int] = tuple(range(42, 52))
TIES = ("first", "random")
ARRIVED = 100
#: How many times the trace's nodes the larger cluster has: 10,917 nodes to 1,213.
LARGER = 9


@dataclass(frozen=True, slots=True)
class Setting:
    """What is run: `make bench NAME=packing DATA="traces=default seeds=2"` for a look."""

    traces: Sequence[str] = TRACES
    seeds: Sequence[int] = SEEDS


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace as read, with what a scorer is told of it."""

    name: str
    nodes: Sequence[TraceNode]
    pods: Sequence[Ask]

    @property
    def capacity(self) -> Mapping[str, int]:
        """GPU by model, in thousandths."""
        found: dict[str, int] = {}
        for node in self.nodes:
            found[node.model] = found.get(node.model, 0) + node.gpus * WHOLE
        return found

    def experiment(self, scorer: str = "default") -> Experiment:
        """With one of the product's scorers."""
        return Experiment.named(scorer, self.nodes, self.pods)


def setting_of(data: str) -> Setting:
    """Read the words. Raises SettingsError naming the word and the remedy."""
    traces, seeds = TRACES, SEEDS
    for word in data.split():
        name, _, value = word.partition("=")
        if name == "traces" and set(value.split(",")) <= set(TRACES):
            traces = tuple(value.split(","))
        elif name == "seeds" and value.isdecimal() and 0 < int(value) <= len(SEEDS):
            seeds = SEEDS[: int(value)]
        else:
            raise SettingsError(f"{word!r}: give traces= some of {','.join(TRACES)}, or seeds=1 to {len(SEEDS)}")
    return Setting(traces, seeds)


def read_trace(name: str) -> Trace:
    """One of the bundled traces."""
    files = (FOLDER / "openb_node_list_gpu_node.csv", FOLDER / f"openb_pod_list_{name}.csv")
    nodes, pods = (path.read_text(encoding="utf-8").splitlines() for path in files)
    return Trace(name, trace_nodes(str(files[0]), nodes), trace_pods(str(files[1]), pods))


def published() -> Mapping[tuple[str, str], float]:
    """(trace, policy) -> mean allocation at 100 % asked for, as published."""
    with (FOLDER / "published.csv").open(encoding="utf-8", newline="") as lines:
        return {(line["trace"], line["policy"]): float(line["mean_100"]) for line in csv.DictReader(lines)}


def run(data: str, progress: Progress) -> Report:
    """Measure; some five minutes of one core."""
    setting, limits, rows = setting_of(data), bounds(NAME), list[Row]()
    for name in setting.traces:
        rows += _Measured(read_trace(name), setting, progress).rows(limits)
    rows += _speed(read_trace("default"), setting, progress, limits)
    return Report(
        name=NAME,
        runs=len(setting.seeds),
        settings={"traces": list(setting.traces), "seeds": list(setting.seeds), "arrived_percent": ARRIVED},
        results=rows,
        notes=[
            "published figures: " + "; ".join(f"{name} FGD {published()[name, 'FGD']:.2f}" for name in setting.traces),
            "offline_bound: a relaxation that may leave out any pods; a scheduler that places what fits cannot reach it",
        ],
    )


class _Measured:
    """All that is measured on one trace."""

    def __init__(self, trace: Trace, setting: Setting, progress: Progress) -> None:
        self._trace = trace
        self._setting = setting
        self._progress = progress
        self._experiment = trace.experiment()
        self._workload = Workload.counted(trace.pods)
        self._own: dict[str, Sequence[float]] = {}

    def rows(self, limits: Mapping[str, Bound]) -> Sequence[Row]:
        """By ties, ours and each peer's; what is possible; how near FGD's port is to what was published."""
        name, told = self._trace.name, published()
        found: list[Row] = []
        self._progress.show(NAME, f"{name}: what is possible at all")
        most = list(bounds_of(self._experiment.hosts, map(self._arrived, self._setting.seeds)))
        found.append(figure(f"offline_bound_percent_{name}", "percent", mean(most), most))
        for ties in TIES:
            ours, fgd = self._ours(ties), self._peer("FGD", ties)
            metric = f"allocation_percent_{name}_{ties}"
            found.append(_against(metric, ours, "FGD, published", [told[name, "FGD"]], limits["published_fgd"]))
            found.append(_against(metric, ours, "FGD", fgd, limits["measured_fgd"]))
            closed = (mean(ours) - told[name, "FGD"]) / (mean(most) - told[name, "FGD"])
            found.append(figure(f"gap_closed_{name}_{ties}", "share", closed, [closed], limits["gap_closed"]))
            if ties == "first":
                off = abs(mean(fgd) - told[name, "FGD"])
                found.append(figure(f"fgd_off_published_{name}", "points", off, [off], limits["fgd_off_published"]))
        untold = [learnt.allocation_percent(self._experiment, seed, ARRIVED) for seed in self._setting.seeds]
        metric = f"allocation_percent_{name}_learnt"
        found.append(_against(metric, untold, "FGD, published", [told[name, "FGD"]], limits["published_fgd"]))
        for policy in PEERS if name in WITH_ALL_POLICIES else ():
            if policy != "FGD":
                theirs = self._peer(policy, "random" if policy == "Random" else "first")
                found.append(_against(f"allocation_percent_{name}_first", self._ours("first"), policy, theirs))
        return found

    def _arrived(self, seed: int) -> Sequence[Ask]:
        experiment, asked, arrived = self._experiment, 0, list[Ask]()
        most = sum(self._trace.capacity.values()) * ARRIVED // 100
        for number in experiment.arrivals(seed):
            ask = experiment.asks[number]
            asked += ask.gpu_milli
            if asked > most:
                break
            arrived.append(ask)
        return arrived

    def _ours(self, ties: str) -> Sequence[float]:
        if ties not in self._own:
            self._own[ties] = self._run(ties)
        return self._own[ties]

    def _run(self, ties: str) -> Sequence[float]:
        found = []
        for seed in self._setting.seeds:
            self._progress.show(NAME, f"{self._trace.name}: default scorer, ties {ties}, seed {seed}")
            found.append(self._experiment.run(seed, random_ties=ties == "random").allocation_percent[ARRIVED])
        return found

    def _peer(self, policy: str, ties: str) -> Sequence[float]:
        port, found = Port(self._experiment, PEERS[policy](self._workload), random_ties=ties == "random"), []
        for seed in self._setting.seeds:
            self._progress.show(NAME, f"{self._trace.name}: {policy}, ties {ties}, seed {seed}")
            found.append(port.run(seed).allocation_percent[ARRIVED])
        return found


def _against(metric: str, ours: Sequence[float], peer: str, theirs: Sequence[float], limit: Bound | None = None) -> Row:
    """Means, not medians: what was published are means. `limit` bounds the difference in points."""
    made = row(metric, "percent", ours, peer, theirs)
    mine, other = mean(ours), mean(theirs)
    return Row(
        metric=made.metric,
        unit=made.unit,
        ours=round(mine, 2),
        spread=made.spread,
        peer=peer,
        peer_value=round(other, 2),
        ratio=round(mine / other, 4),
        target=None if limit is None else f"difference {limit}",
        met=None if limit is None else limit.met(mine - other),
    )


def _speed(trace: Trace, setting: Setting, progress: Progress, limits: Mapping[str, Bound]) -> Sequence[Row]:
    """Each seed with a table that knows nothing yet, ours and the port in turn."""
    ours, theirs, larger = list[float](), list[float](), list[float]()
    wide = [TraceNode(f"{node.name}-{copy}", *_rest(node)) for node in trace.nodes for copy in range(LARGER)]
    for seed in setting.seeds[:5]:
        progress.show(NAME, f"decisions a second, seed {seed}")
        fresh = trace.experiment()
        begun = time.process_time()
        placed = fresh.run(seed).placed
        ours.append(placed / (time.process_time() - begun))
        port = Port(fresh, PEERS["FGD"](Workload.counted(trace.pods)))
        begun = time.process_time()
        placed = port.run(seed).placed
        theirs.append(placed / (time.process_time() - begun))
        many = Trace("wide", wide, list(trace.pods) * LARGER).experiment()
        begun = time.process_time()
        placed = many.run(seed).placed
        larger.append(ours[-1] / (placed / (time.process_time() - begun)))
    compared = row("placements_per_second", "1/s", ours, "FGD in numpy", theirs)
    limit = limits["placements_per_second"]
    ratio = compared.ratio or 0.0
    speed = Row(
        compared.metric,
        compared.unit,
        compared.ours,
        compared.spread,
        compared.peer,
        compared.peer_value,
        ratio,
        f"ratio {limit}",
        limit.met(ratio),
    )
    cost = figure(
        "cost_a_pod_10917_to_1213_nodes", "ratio", sorted(larger)[len(larger) // 2], larger, limits["cost_a_pod"]
    )
    return speed, cost


def _rest(node: TraceNode) -> tuple[int, int, int, str]:
    return node.cpu_milli, node.memory_mib, node.gpus, node.model
