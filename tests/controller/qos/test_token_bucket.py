import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.qos.settings import ModelSettings, TenantSettings
from controller.qos.token_bucket import SharedBucket, TokenBucket
from tests.controller.qos.simulation import Arrival, Simulation, partition


@given(st.floats(0.1, 100), st.lists(st.floats(0, 1), max_size=200))
def test_no_window_lets_more_through_than_its_time_and_a_second(rate: float, gaps: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, 0.0), 0.0, []
    for gap in gaps:
        now += gap
        if not bucket.take(now):
            taken.append(now)
    burst = max(1.0, rate)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - start) * rate + 1e-6


@given(st.floats(0.1, 100), st.integers(1, 50))
def test_after_the_seconds_that_it_says_there_is_one(rate: float, tries: int) -> None:
    bucket = TokenBucket(rate, 0.0)
    seconds = max(bucket.take(0.0) for _ in range(tries + int(rate) + 1))
    assert seconds > 0
    assert bucket.take(seconds * 1.0001) == 0


def test_what_was_put_back_can_be_taken() -> None:
    bucket = TokenBucket(1.0, 0.0)
    assert bucket.take(0.0) == 0
    bucket.put_back()
    assert bucket.take(0.0) == 0
    assert bucket.take(0.0) == pytest.approx(1.0)


def test_a_model_takes_its_rate_and_says_when_to_come_back() -> None:
    told = partition(100, ModelSettings("a", "standard", max_rate=5.0))
    simulation = Simulation(told).run(Arrival(at / 20, "a", seconds=0.01) for at in range(200))
    assert 54 <= len(simulation.started) <= 56  # ten seconds of five, and a second of burst
    assert {why.reason for _, why in simulation.refused} == {"RateLimited"}
    assert all(why.status == 429 and why.retry_after and why.retry_after >= 1 for _, why in simulation.refused)


def test_a_tenants_rate_counts_over_all_models_and_not_for_the_models() -> None:
    models = [ModelSettings("a", "standard", max_rate=10.0), ModelSettings("b", "standard")]
    told = partition(100, *models, tenants={"loud": TenantSettings(max_rate=2.0)})
    loud = [Arrival(at / 20, "ab"[at % 2], "loud", seconds=0.01) for at in range(200)]
    quiet = [Arrival(at / 8 + 0.01, "a", "quiet", seconds=0.01) for at in range(80)]
    simulation = Simulation(told).run([*loud, *quiet])
    assert 20 <= sum(one.tenant == "loud" for one in simulation.started) <= 22
    assert sum(one.tenant == "quiet" for one in simulation.started) == 80


@given(st.floats(0.2, 50), st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from("abc")), max_size=200))
def test_a_bucket_that_is_shared_lets_no_more_through_than_another_one(
    rate: float, asked: list[tuple[float, str]]
) -> None:
    bucket, now, taken = SharedBucket(rate, 0.0), 0.0, []
    for gap, tenant in asked:
        now += gap
        seconds = bucket.take_for(tenant, now)
        assert seconds >= 0
        if not seconds:
            taken.append(now)
    for first, start in enumerate(taken):
        assert len(taken) - first <= max(2.0, rate) + (taken[-1] - start) * rate + 1e-6


def test_who_asks_alone_has_the_whole_rate() -> None:
    bucket = SharedBucket(10.0, 0.0)
    taken = sum(not bucket.take_for("a", at / 100) for at in range(1000))
    assert 95 <= taken <= 111


@pytest.mark.parametrize(("rate", "loud"), [(10.0, 200), (100.0, 2000), (1.0, 50)])
def test_a_flood_leaves_another_tenant_its_part_of_a_models_rate(rate: float, loud: int) -> None:
    """The quiet one asks for four tenths of the rate, the loud one for twenty times of it and more."""
    told = partition(1000, ModelSettings("a", "standard", max_rate=rate))
    flood = [Arrival(at / loud, "a", "loud", seconds=0.01) for at in range(20 * loud)]
    mine = [Arrival((at + 0.5) / (0.4 * rate), "a", "quiet", seconds=0.01) for at in range(int(8 * rate))]
    started = Simulation(told).run([*flood, *mine]).started
    assert sum(one.tenant == "quiet" for one in started) >= 0.85 * len(mine)  # before its first one nobody knew of it
    assert len(started) >= 0.85 * 20 * rate
