"""The table against the plain way: look at every place of every host with the scorer's own numbers."""

from collections.abc import Sequence
from random import Random

import pytest

from controller.placement.packing.host import Ask, Host, partition_left, places, share_left
from controller.placement.packing.scorers.named import SCORERS, scorer_named
from controller.placement.packing.scorers.scorer import STEPS, Scorer
from controller.placement.packing.table import ScoreTable
from controller.placement.packing.workload import Workload

ASKS = (
    Ask(4000, 8000, 1, 500),
    Ask(2000, 4000, 1, 300),
    Ask(9000, 4000, 1, 1000),
    Ask(3000, 4000, 1, 810, frozenset({"T4"})),
    Ask(16000, 4000, 2, 1000, frozenset({"T4", "G2"})),
    Ask(12000, 30000),
)
HOSTS = (
    Host(32000, 64000, (1000, 1000), "T4"),
    Host(48000, 96000, (1000,) * 4, "G2"),
    Host(16000, 24000, (1000, 1000), "P100"),
) * 2
CAPACITY = {"T4": 4000, "G2": 8000, "P100": 4000}


def _lowest(hosts: Sequence[Host], ask: Ask, scorer: Scorer) -> float | None:
    found = [scorer.cost(host, place.after, ask) for host in hosts for place in places(host, ask)]
    return min(found, default=None)


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("divisible", [True, False])
def test_every_decision_is_a_cheapest_one(name: str, divisible: bool) -> None:
    chance = Random(7)
    left = share_left if divisible else partition_left
    scorer = scorer_named(name, Workload.counted(ASKS), CAPACITY, left)
    hosts = [Host(one.cpu_milli, one.memory_mib, one.pieces, one.model, divisible) for one in HOSTS]
    table = ScoreTable(hosts, ASKS, scorer, left)
    for _ in range(60):
        number = chance.randrange(len(ASKS))
        want_lowest = _lowest(table.hosts, ASKS[number], scorer)
        host = table.best(number)
        assert (host is None) == (want_lowest is None)
        if host is not None:
            before = table.hosts[host]
            after = table.place(number, host)
            assert scorer.cost(before, after, ASKS[number]) == pytest.approx(want_lowest, abs=2 / STEPS)


def test_of_equal_hosts_the_first_is_taken_or_any() -> None:
    table = ScoreTable([Host(8000, 8000, (1000,))] * 5, [Ask(1000, 1000, 1, 500)], scorer_named("bestfit", _any(), {}))
    assert table.best(0) == 0
    assert {table.best(0, Random(seed)) for seed in range(40)} == set(range(5))


def test_a_table_begins_anew_on_other_hosts() -> None:
    table = ScoreTable([Host(8000, 8000, (1000,))], [Ask(1000, 1000, 1, 1000)], scorer_named("bestfit", _any(), {}))
    table.place(0, 0)
    assert table.best(0) is None
    table.reset([Host(8000, 8000, (1000,))])
    assert table.best(0) == 0


def test_any_piece_that_fits_is_taken_by_chance() -> None:
    ask = Ask(0, 0, 1, 100)
    table = ScoreTable([Host(0, 0, (50, 200, 1000))], [ask], scorer_named("random", _any(), {}))
    left = set()
    for seed in range(20):
        table.reset([Host(0, 0, (50, 200, 1000))])
        left.add(table.place(0, 0, Random(seed)).pieces)
    assert left == {(50, 100, 1000), (50, 200, 900)}


def _any() -> Workload:
    return Workload.counted([Ask(1000, 0, 1, 500)])
