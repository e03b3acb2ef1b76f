"""The adaptive limit, with an engine whose first tokens come late when too many requests are in flight."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.qos.concurrency_limit import ConcurrencyLimit, UsualTimes
from controller.qos.settings import LimitSettings, ModelSettings
from tests.controller.qos.ledger import Ledger
from tests.controller.qos.simulation import Arrival, Simulation, partition

ADAPTIVE = LimitSettings()


def limited(*models: ModelSettings, seats: int = 32) -> Ledger:
    return Ledger(partition(seats, *models, limit=ADAPTIVE))


def sampled(limit: ConcurrencyLimit, ratio: float, windows: int, in_flight: int | None = None) -> int:
    for _ in range(windows * 64):
        limit.sampled(ratio, limit.value if in_flight is None else in_flight)
    return limit.value


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 40), st.booleans()), max_size=300), st.integers(1, 32))
def test_it_is_always_from_one_to_the_seats(samples: list[tuple[float, int, bool]], seats: int) -> None:
    limit, now = ConcurrencyLimit(ADAPTIVE, seats, 0), 0.0
    for ratio, in_flight, overloaded in samples:
        now += 1
        if overloaded:
            limit.overloaded(now - 0.5, now, 0)
        else:
            limit.sampled(ratio, in_flight)
        assert 1 <= limit.value <= seats


def test_late_first_tokens_lower_it_to_what_is_guaranteed_and_usual_ones_raise_it_again() -> None:
    limit = ConcurrencyLimit(ADAPTIVE, 32, 6)
    assert sampled(limit, 8.0, 40) == 6
    assert sampled(limit, 1.0, 40) == 32


def test_a_little_later_than_usual_is_tolerated() -> None:
    assert sampled(ConcurrencyLimit(ADAPTIVE, 32, 0), 1.45, 40) == 32


def test_one_step_never_halves_it() -> None:
    limit = ConcurrencyLimit(ADAPTIVE, 100, 0)
    for _ in range(100):
        limit.sampled(1000.0, 100)
    assert 90 <= limit.value < 100


def test_it_stays_while_so_few_are_in_flight_that_they_say_nothing() -> None:
    assert sampled(ConcurrencyLimit(ADAPTIVE, 32, 0), 8.0, 40, in_flight=10) == 32


def test_refusals_lower_it_below_what_is_guaranteed_but_those_of_one_overload_once() -> None:
    limit = ConcurrencyLimit(ADAPTIVE, 10, 10)
    for _ in range(5):
        limit.overloaded(0.0, 1.0, 0)
    assert limit.value == 9
    for now in range(2, 40):
        limit.overloaded(float(now), now + 0.5, 0)
    assert limit.value == 1


def test_one_that_does_not_adapt_is_all_seats() -> None:
    limit = ConcurrencyLimit(LimitSettings(adaptive=False), 10, 0)
    assert not limit.overloaded(0.0, 1.0, 0)
    assert sampled(limit, 100.0, 10) == 10


def test_it_keeps_its_part_of_the_seats_when_there_are_others() -> None:
    limit = ConcurrencyLimit(ADAPTIVE, 32, 0)
    sampled(limit, 8.0, 3)
    before = limit.value
    limit.resize(ADAPTIVE, 64, 0)
    assert limit.value == pytest.approx(2 * before, abs=2)


def test_a_long_prompt_is_no_slow_engine() -> None:
    times = UsualTimes()
    for _ in range(50):
        times.compared(100, 0.1)
        times.compared(10_000, 4.0)
    assert times.compared(10_000, 4.0) == pytest.approx(1.0)
    assert times.compared(100, 4.0) == pytest.approx(40.0)


def test_what_was_learnt_in_bad_times_is_forgotten_quickly_in_good_ones() -> None:
    times = UsualTimes()
    for _ in range(2000):
        times.compared(100, 5.0)
    for _ in range(200):
        times.compared(100, 0.5)
    assert times.of(100) < 1.5


def test_minimums_are_scaled_down_where_there_are_fewer_seats_and_come_back() -> None:
    models = [ModelSettings(name, "standard", minimum=minimum) for name, minimum in (("a", 8), ("b", 4))]

    def minimums() -> list[int]:
        seen = ledger.manager.statistics().models
        return [seen[name].minimum for name in "ab"]

    ledger = Ledger(partition(6, *models, each=12, limit=ADAPTIVE))
    assert minimums() == [4, 2]
    ledger.configure(partition(12, *models, limit=ADAPTIVE))
    assert minimums() == [8, 4]


def test_a_minimum_is_scaled_down_with_a_limit_that_its_own_engine_lowered() -> None:
    ledger = limited(ModelSettings("a", "standard", minimum=8), seats=8)
    for _ in range(60):
        ledger.arrive("a")
    for _ in range(6):
        ledger.now += 1.0
        ledger.complete(next(iter(ledger.flying)))
        ledger.complete(list(ledger.flying)[-1], overloaded=True)
    seen = ledger.manager.statistics()
    assert seen.models["a"].minimum == seen.partitions["p"].limit < 8


@pytest.mark.parametrize("knee", [8, 16])
def test_it_settles_near_where_the_engine_bends(knee: int) -> None:
    """First tokens take 0.1 s up to the knee, and six times that for every knee's worth of requests above it."""
    random = Random(1)

    def first_byte(one: Arrival, in_flight: int) -> float:
        return 0.1 * (1 + 6 * max(0, in_flight - knee) / knee) * random.uniform(0.9, 1.1)

    limits: list[tuple[float, int]] = []
    model = ModelSettings("a", "standard", queue_length=100_000, queue_timeout=1e9)
    simulation = Simulation(partition(64, model, limit=ADAPTIVE))
    simulation.first_byte = first_byte
    simulation.watch = lambda seen: limits.append((seen.now, seen.manager.statistics().partitions["p"].limit))
    calm = [Arrival(at * 5 / knee / 0.6, "a", seconds=5.0) for at in range(20 * knee)]
    rush = [Arrival(180 + at / 20, "a", seconds=5.0) for at in range(1500)]
    simulation.run([*calm, *rush])
    assert {limit for now, limit in limits if now < 170} == {64}
    settled = [limit for now, limit in limits if 300 < now < 350]
    assert knee * 0.7 <= sum(settled) / len(settled) <= knee * 2.3


def test_refusals_of_one_engine_leave_the_others_theirs() -> None:
    limit = ConcurrencyLimit(ADAPTIVE, 16, 2)
    for now in range(40):
        limit.overloaded(float(now), now + 0.5, 8)
    assert limit.value == 8
