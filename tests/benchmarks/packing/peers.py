"""The published policies in plain numpy, written from their descriptions and apart from the product's scorers.

Nodes' scores are kept for every shape of pod and only the changed node's are worked out again, for all shapes at once:
what a good port does. A pod takes the node of the highest score; GPUs stay in their nodes' order. Descriptions: Weng et
al., USENIX ATC'23, and the score plugins of github.com/hkust-adsl/kubernetes-scheduler-simulator (Apache-2.0).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import numpy as np

from controller.placement.packing.host import WHOLE, Ask, Host
from controller.placement.packing.workload import Workload
from controller.placement.simulation import Curve, Experiment, Outcome

Array = Any
NEVER = -(10**9)
CPU, GPU = 128_000, 8_000


@dataclass(frozen=True, slots=True)
class Node:
    """One node as rules see it. `kinds`: bits of what runs there (shares, one GPU, two, ...)."""

    cpu: int
    pieces: Array
    model: str
    kinds: int


class Shapes:
    """Distinct (cpu, count, milli) of the pods, as arrays."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        rows = sorted({(ask.cpu_milli, ask.count, ask.milli) for ask in asks})
        self.cpu, self.count, self.milli = (np.array(column) for column in zip(*rows, strict=True))
        self.of = [rows.index((ask.cpu_milli, ask.count, ask.milli)) for ask in asks]
        self.gpu = self.count * self.milli
        self.share = (self.count == 1) & (self.milli < WHOLE)
        self.kind = np.array([kind_of(count, milli) for _, count, milli in rows])


def kind_of(count: int, milli: int) -> int:
    """A bit for what the clustering policy keeps together: 0 for pods without GPU."""
    return 0 if count == 0 else 1 << (0 if milli < WHOLE else count)


class Rule(Protocol):
    """A policy: the score of every shape on a node, and the GPU that a share takes there. Fit is checked elsewhere."""

    def scores(self, node: Node, shapes: Shapes) -> tuple[Array, Array]: ...


def tightest(node: Node, shapes: Shapes) -> Array:
    """The GPU with least left that a share fits, the first of equal ones."""
    left = np.where(node.pieces >= shapes.milli[:, None], node.pieces, WHOLE + 1)
    return left.argmin(axis=1)


class BestFit:
    """Least CPU and GPU left, half each, in hundredths of the largest node."""

    def scores(self, node: Node, shapes: Shapes) -> tuple[Array, Array]:
        left = (node.cpu - shapes.cpu) / CPU * 0.5 + (node.pieces.sum() - shapes.gpu) / GPU * 0.5
        return np.floor((1 - left) * 100), tightest(node, shapes)


class DotProduct:
    """The smaller the product of what is left and what is asked, the better."""

    def scores(self, node: Node, shapes: Shapes) -> tuple[Array, Array]:
        product = node.cpu / CPU * (shapes.cpu / CPU) + node.pieces.sum() / GPU * (shapes.gpu / GPU)
        return np.floor(100 * (1 - product / 2)), tightest(node, shapes)


class Packing:
    """Shared GPUs first, then free ones of used nodes, then free nodes; pods without GPU are all the same."""

    def scores(self, node: Node, shapes: Shapes) -> tuple[Array, Array]:
        free = int((node.pieces == WHOLE).sum())
        chosen = tightest(node, shapes)
        if free == len(node.pieces):
            return np.where(shapes.count > 0, max(33 - free, free), 0), chosen
        left = node.pieces[chosen]
        opened = np.where(shapes.share, left == WHOLE, shapes.count)
        score = np.where(opened > 0, np.maximum(50 - opened, 33), np.maximum(100 - left * 100 // WHOLE // 10, 50))
        return np.where(shapes.count > 0, score, 0), chosen


class Clustering:
    """Beside pods of the same number of GPUs, then on empty nodes, then anywhere; the fuller the better."""

    def scores(self, node: Node, shapes: Shapes) -> tuple[Array, Array]:
        fullness = 25 * (GPU - int(node.pieces.sum())) // GPU
        same = (node.kinds & shapes.kind) > 0
        level = np.where(same, np.where(node.kinds == shapes.kind, 75, 50), 25 if node.kinds == 0 else 0)
        return np.where(shapes.count > 0, level + fullness, 0), tightest(node, shapes)


class Anywhere:
    """No preference; the GPU is drawn as well."""

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)

    def scores(self, node: Node, shapes: Shapes) -> tuple[Array, Array]:
        lot = np.where(
            node.pieces >= shapes.milli[:, None], self._chance.random((len(shapes.cpu), len(node.pieces))), -1
        )
        return np.zeros(len(shapes.cpu)), lot.argmax(axis=1)


class Gradient:
    """FGD: the smallest growth of the GPU that typical pods cannot use."""

    def __init__(self, workload: Workload) -> None:
        kinds = [kind for kind in workload.typical.kinds if kind.ask.gpu_milli]
        self._cpu = np.array([kind.ask.cpu_milli for kind in kinds])
        self._count = np.array([kind.ask.count for kind in kinds])
        self._share = np.array([kind.share for kind in kinds])
        self._kinds = kinds
        sizes = np.arange(WHOLE + 1)[:, None]
        self._roomy = (sizes >= np.array([kind.ask.milli for kind in kinds])).astype(np.int64)
        self._usable = sizes * self._roomy
        self._weights: dict[str, Array] = {}

    def _weight(self, model: str) -> Array:
        if model not in self._weights:
            suits = [not kind.ask.models or model in kind.ask.models for kind in self._kinds]
            self._weights[model] = self._share * suits
        return self._weights[model]

    def _lost(self, idle: Array, cpu: Array, usable: Array, roomy: Array, model: str) -> Array:
        counted = usable * (roomy >= self._count) * (cpu[..., None] >= self._cpu)
        return idle - counted @ self._weight(model)

    def scores(self, node: Node, shapes: Shapes) -> tuple[Array, Array]:
        pieces = node.pieces
        usable, roomy, idle = self._usable[pieces].sum(axis=0), self._roomy[pieces].sum(axis=0), int(pieces.sum())
        before = self._lost(idle, np.array(node.cpu), usable, roomy, node.model)
        sizes, first = np.unique(pieces, return_index=True)
        order = first.argsort()
        sizes, first = sizes[order], first[order]
        fits = sizes >= shapes.milli[:, None]
        left = np.where(fits, sizes - shapes.milli[:, None], sizes)
        times = np.maximum(shapes.count, 0)[:, None]
        after = self._lost(
            idle - (sizes - left) * times,
            np.broadcast_to((node.cpu - shapes.cpu)[:, None], left.shape),
            usable + (self._usable[left] - self._usable[sizes]) * times[..., None],
            roomy + (self._roomy[left] - self._roomy[sizes]) * times[..., None],
            node.model,
        )
        growth = (after - before).round(6)
        score = np.where(fits, np.floor(100 / (1 + np.exp(growth / 1000))), NEVER)
        best = score.argmax(axis=1)
        return score[np.arange(len(best)), best], first[best]


class Port:
    """A cluster under a rule."""

    def __init__(self, experiment: Experiment, rule: Rule, *, random_ties: bool = False) -> None:
        self._experiment = experiment
        self._rule = rule
        self._random_ties = random_ties
        self._asks = experiment.asks
        self._shapes = Shapes(self._asks)
        self._capacity = sum(sum(host.pieces) for host in experiment.hosts)

    def run(self, seed: int) -> Outcome:
        """The same arrivals as the product's, for the same figures."""
        hosts = self._experiment.hosts
        self._cpu = [host.cpu_milli for host in hosts]
        self._pieces = [np.array(host.pieces) for host in hosts]
        self._kinds = [0] * len(hosts)
        self._memory = np.array([host.memory_mib for host in hosts])
        self._models = np.array([host.model for host in hosts])
        suits = {models: np.isin(self._models, list(models)) for models in {ask.models for ask in self._asks} if models}
        self._scores, self._chosen = self._from_nothing(hosts)
        ties = Random(seed + 1) if self._random_ties else None
        curve, asked, allocated, placed = Curve(self._capacity), 0, 0, 0
        for number in self._experiment.arrivals(seed):
            ask = self._asks[number]
            asked += ask.gpu_milli
            row = self._scores[self._shapes.of[number]]
            fitting = np.where(self._memory >= ask.memory_mib, row, NEVER)
            if ask.models:
                fitting = np.where(suits[ask.models], fitting, NEVER)
            node = int(fitting.argmax())
            if fitting[node] > NEVER:
                if ties is not None:
                    node = int(ties.choice(np.flatnonzero(fitting == fitting[node])))
                self._place(node, number)
                allocated += ask.gpu_milli
                placed += 1
            curve.add(asked, allocated)
        return Outcome(curve.percent(), placed)

    def _from_nothing(self, hosts: Sequence[Host]) -> tuple[Array, Array]:
        scores = np.empty((len(self._shapes.cpu), len(hosts)))
        chosen = np.empty((len(self._shapes.cpu), len(hosts)), dtype=np.int64)
        alike: dict[Host, tuple[Array, Array]] = {}
        for node, host in enumerate(hosts):
            if host not in alike:
                alike[host] = self._scored(node)
            scores[:, node], chosen[:, node] = alike[host]
        return scores, chosen

    def _scored(self, node: int) -> tuple[Array, Array]:
        pieces, shapes = self._pieces[node], self._shapes
        view = Node(self._cpu[node], pieces, str(self._models[node]), self._kinds[node])
        score, chosen = self._rule.scores(view, shapes)
        number = (pieces >= shapes.milli[:, None]).sum(axis=1)
        return np.where((shapes.cpu <= view.cpu) & (number >= shapes.count), score, NEVER), chosen

    def _place(self, node: int, number: int) -> None:
        ask, pieces = self._asks[number], self._pieces[node]
        if ask.shares:
            pieces[self._chosen[self._shapes.of[number], node]] -= ask.milli
        else:
            pieces[np.flatnonzero(pieces == WHOLE)[: ask.count]] = 0
        self._cpu[node] -= ask.cpu_milli
        self._memory[node] -= ask.memory_mib
        self._kinds[node] |= kind_of(ask.count, ask.milli)
        self._scores[:, node], self._chosen[:, node] = self._scored(node)


PEERS: dict[str, Callable[[Workload], Rule]] = {
    "FGD": Gradient,
    "BestFit": lambda _: BestFit(),
    "GpuPacking": lambda _: Packing(),
    "GpuClustering": lambda _: Clustering(),
    "DotProd": lambda _: DotProduct(),
    "Random": lambda _: Anywhere(1),
}
