"""The published rule on cases small enough to work out by hand."""

import pytest

from controller.placement.packing.host import Ask, Host
from controller.placement.packing.scorers.fragmentation import Fragmentation
from controller.placement.packing.workload import Workload

HALF, WHOLE_GPU, NO_GPU = Ask(4000, 0, 1, 500), Ask(8000, 0, 1, 1000), Ask(2000)


def test_what_changes_nothing_scores_exactly_in_the_middle() -> None:
    scorer = Fragmentation.of(Workload.counted([HALF]))
    assert scorer.cost(Host(8000, 0, (1000,)), Host(6000, 0, (1000,)), NO_GPU) == -50


def test_a_piece_that_nobody_fits_into_any_more_costs() -> None:
    scorer = Fragmentation.of(Workload.counted([WHOLE_GPU]))
    # 600 of 1,000 become useless: 100 / (1 + e^0.6) is 35.4
    assert scorer.cost(Host(64000, 0, (1000,)), Host(64000, 0, (600,)), HALF) == -35


def test_using_up_a_useless_piece_is_a_gain() -> None:
    scorer = Fragmentation.of(Workload.counted([WHOLE_GPU]))
    # 500 that were useless are gone: 100 / (1 + e^-0.5) is 62.2
    assert scorer.cost(Host(64000, 0, (500,)), Host(64000, 0, (0,)), HALF) == -62


@pytest.mark.parametrize(
    ("host", "ask"),
    [
        pytest.param(Host(7999, 0, (1000,)), WHOLE_GPU, id="without CPU all idle GPU is useless"),
        pytest.param(Host(64000, 0, (1000,)), Ask(0, 0, 2, 1000), id="without enough GPUs all of it is"),
        pytest.param(Host(64000, 0, (1000,), "T4"), Ask(0, 0, 1, 1000, frozenset({"G2"})), id="on a wrong model, too"),
        pytest.param(Host(64000, 0, (1000,)), NO_GPU, id="pods without GPU use none"),
    ],
)
def test_idle_gpu_that_cannot_be_used_is_no_loss_when_taken(host: Host, ask: Ask) -> None:
    scorer = Fragmentation.of(Workload.counted([ask]))
    taken = Host(host.cpu_milli, 0, (0,), host.model)
    assert scorer.cost(host, taken, HALF) == -73  # 100 / (1 + e^-1)
