"""The default scorer without being told the trace: it expects what it has seen, as in a cluster."""

from typing import Final

from controller.placement.packing.host import WHOLE
from controller.placement.packing.scorers.best_fit import BestFit
from controller.placement.packing.scorers.expected_loss import ExpectedLoss
from controller.placement.packing.table import ScoreTable
from controller.placement.packing.workload import Workload
from controller.placement.simulation import Curve, Experiment

#: The mix is looked at anew when so many pods were seen, and twice as many, and so on; before, fit decides.
FIRST_LOOK: Final = 100


def allocation_percent(experiment: Experiment, seed: int, arrived: int) -> float:
    """As of the experiment itself, for the same arrivals with ties by the first node."""
    capacity: dict[str, int] = {}
    for empty in experiment.hosts:
        capacity[empty.model] = capacity.get(empty.model, 0) + len(empty.pieces) * WHOLE
    table = ScoreTable(experiment.hosts, experiment.asks, BestFit())
    curve, seen, look, asked, allocated = Curve(sum(capacity.values())), list[int](), FIRST_LOOK, 0, 0
    for number in experiment.arrivals(seed):
        ask = experiment.asks[number]
        seen.append(number)
        if len(seen) == look:
            expected = Workload.counted(experiment.asks[one] for one in seen)
            table = ScoreTable(table.hosts, experiment.asks, ExpectedLoss.of(expected, capacity))
            look *= 2
        asked += ask.gpu_milli
        host = table.best(number)
        if host is not None:
            table.place(number, host)
            allocated += ask.gpu_milli
        curve.add(asked, allocated)
    return curve.percent()[arrived]
