import pytest

from controller.placement.packing.host import Ask, Host
from controller.placement.packing.modes import mode_left, rounded
from controller.placement.packing.scorers.named import SCORERS, scorer_named
from controller.placement.packing.table import ScoreTable
from controller.placement.packing.workload import Workload


@pytest.mark.parametrize(
    ("milli", "want"), [(1, 125), (125, 125), (126, 250), (470, 500), (501, 1000), (810, 1000), (1000, 1000)]
)
def test_requests_are_rounded_up_to_a_partition(milli: int, want: int) -> None:
    assert rounded(Ask(4000, 1, 1, milli)) == Ask(4000, 1, 1, want)


def test_a_pod_without_gpu_stays_as_it_is() -> None:
    assert rounded(Ask(4000, 1)) == Ask(4000, 1)


def test_an_idle_gpu_takes_the_mode_that_is_asked_for() -> None:
    assert [mode_left(milli, 1000) for milli in (1000, 500, 250, 125)] == [0, 501, 752, 878]


def test_a_gpu_gives_partitions_of_its_mode_until_there_is_none() -> None:
    free, seen = 1000, []
    while free:
        free = mode_left(250, free)
        seen.append(free)
    assert seen == [752, 502, 252, 0]


def test_a_small_request_may_take_a_large_partition_and_never_the_other_way_round() -> None:
    assert mode_left(125, 501) == 0
    assert mode_left(500, 752) == -1
    assert mode_left(125, 0) == -1


@pytest.mark.parametrize("name", SCORERS)
def test_a_table_fills_gpus_by_modes(name: str) -> None:
    asks = [Ask(0, 0, 1, 125), Ask(0, 0, 1, 500)]
    scorer = scorer_named(name, Workload.counted(asks), {"": 1000}, mode_left)
    table = ScoreTable([Host(0, 0, (1000, 1000))], asks, scorer, mode_left)
    for number in (0, 1, 1, *[0] * 7):
        host = table.best(number)
        assert host is not None
        table.place(number, host)
    assert table.hosts[0].pieces == (0, 0)
    assert table.best(0) is None
