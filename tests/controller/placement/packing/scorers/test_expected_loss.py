from random import Random

import numpy as np
import pytest

from controller.placement.packing.columns import Arrays
from controller.placement.packing.host import Ask, Host
from controller.placement.packing.scorers.expected_loss import ExpectedLoss
from controller.placement.packing.workload import Workload

HALF = Ask(6000, 0, 1, 500)


def _scorer(*asks: Ask) -> ExpectedLoss:
    return ExpectedLoss.of(Workload.counted(asks), {"T4": 1000, "G2": 9000})


def test_a_remainder_that_fits_nobody_is_lost_whole_and_one_that_fits_is_not() -> None:
    scorer = _scorer(HALF)
    assert [scorer.remainders[free] for free in (0, 499, 500, 700, 1000)] == [0, 499, 0, 200, 0]


def test_a_remainder_that_only_rare_pods_fit_counts_in_part() -> None:
    scorer = _scorer(*[HALF] * 99, Ask(1000, 0, 1, 100))
    assert scorer.remainders[100] == 80  # a hundredth of the pods fits, a twentieth would fill it


def test_gpu_without_cpu_beside_it_is_lost() -> None:
    scorer = _scorer(HALF)
    plenty, half, none = (scorer.loss(Host(cpu, 0, (1000, 1000))) for cpu in (24000, 12000, 0))
    assert plenty == 0
    assert none > half > 1000


def test_whole_gpus_stay_together() -> None:
    scorer, one = _scorer(Ask(8000, 0, 2, 1000), Ask(4000, 0, 1, 1000)), Ask(4000, 0, 1, 1000)
    begun, untouched = Host(64000, 0, (0, 1000)), Host(64000, 0, (1000, 1000))
    costs = [scorer.cost(host, Host(60000, 0, (0, *host.pieces[:-1])), one) for host in (begun, untouched)]
    assert costs[0] < costs[1]


def test_a_model_that_pods_insist_on_is_left_to_them() -> None:
    scorer = _scorer(*[HALF] * 3, Ask(6000, 0, 1, 500, frozenset({"T4"})))
    t4, g2 = (
        scorer.cost(Host(64000, 0, (1000,), model), Host(58000, 0, (500,), model), HALF) for model in ("T4", "G2")
    )
    assert scorer.worth == {"T4": 1.0, "G2": 0.0}
    assert t4 == pytest.approx(g2 + 500)


def test_a_model_that_nobody_has_is_worth_nothing() -> None:
    assert _scorer(HALF, Ask(6000, 0, 1, 500, frozenset({"H9"}))).worth == {"T4": 0.0, "G2": 0.0}


def test_of_hosts_that_lose_alike_the_fuller_one_is_taken() -> None:
    scorer = _scorer(HALF)
    full, empty = (Host(64000, 0, (1000,) * gpus) for gpus in (1, 4))
    costs = [scorer.cost(host, Host(58000, 0, (500, *host.pieces[1:])), HALF) for host in (full, empty)]
    assert costs[0] < costs[1]


def test_numbers_and_arrays_get_the_same_answers() -> None:
    chance = Random(3)
    scorer = _scorer(HALF, Ask(3000, 0, 1, 810), Ask(20000, 0, 4, 1000), Ask(9000))
    hosts = [Host(chance.randrange(64000), 0, tuple(chance.randrange(1001) for _ in range(4))) for _ in range(50)]
    cpu, idle = np.array([[host.cpu_milli, host.idle] for host in hosts]).T
    lost = np.array([scorer.standing(host).lost for host in hosts])
    want = [scorer.afterwards(host.cpu_milli, host.idle, scorer.standing(host).lost, "T4") for host in hosts]
    assert scorer.prepared(Arrays()).afterwards(cpu, idle, lost, "T4") == pytest.approx(want)
