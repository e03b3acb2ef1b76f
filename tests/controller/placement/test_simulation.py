import pytest

from controller.placement.packing.host import Ask
from controller.placement.packing.scorers.best_fit import BestFit
from controller.placement.simulation import Experiment
from controller.placement.trace import TraceNode

NODES = tuple(TraceNode(f"node-{number}", 64000, 262144, 8, "G2") for number in range(10))


def test_pods_that_fit_exactly_fill_the_cluster() -> None:
    outcome = Experiment(NODES, [Ask(1000, 1024, 1, 500)] * 10, BestFit()).run(42)
    assert outcome.allocation_percent[130] == 100
    assert outcome.placed == 160


def test_pods_that_leave_a_remainder_cannot() -> None:
    outcome = Experiment(NODES, [Ask(1000, 1024, 1, 600)] * 10, BestFit()).run(42)
    assert outcome.allocation_percent[130] == pytest.approx(60)


def test_memory_limits_as_well_as_gpu() -> None:
    outcome = Experiment(NODES, [Ask(1000, 65536, 1, 1000)] * 10, BestFit()).run(42)
    assert outcome.placed == 40


def test_a_trace_of_more_than_the_cluster_takes_is_thinned_out() -> None:
    asked: list[int] = []
    Experiment(NODES, [Ask(1000, 1024, 1, 1000)] * 500, BestFit()).run(42, seen=asked.append)
    assert asked[-1] == 104_000


def test_a_seed_is_an_order_of_arrival_and_repeats() -> None:
    pods = [Ask(1000 * cpu, 1024, 1, 100 * cpu) for cpu in range(1, 10)]
    experiment = Experiment(NODES, pods, BestFit())
    first, other, again = (experiment.run(seed) for seed in (1, 2, 1))
    assert first == again
    assert first != other


def test_random_ties_repeat_with_the_seed_too() -> None:
    pods = [Ask(1000 * cpu, 1024, 1, 100 * cpu) for cpu in range(1, 10)]
    experiment = Experiment(NODES, pods, BestFit())
    assert experiment.run(5, random_ties=True) == experiment.run(5, random_ties=True)


def test_on_a_small_cluster_the_last_pod_before_counts() -> None:
    outcome = Experiment(NODES[:1], [Ask(1000, 1024, 1, 1000)], BestFit()).run(42)
    assert outcome.allocation_percent == {100: 100.0, 130: 100.0}
