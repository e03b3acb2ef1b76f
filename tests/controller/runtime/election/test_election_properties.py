"""Whatever clocks, network and scheduler do: never two leaders at once, and always one again in time."""

import pytest
from hypothesis import given, settings
from hypothesis.strategies import builds, floats, integers, sampled_from

from controller.runtime.election.lease import LeaseTiming
from tests.controller.runtime.election.simulation import CALM, Weather, World

patient = settings(max_examples=100, deadline=None)  # other tests may share the processor
thorough = settings(max_examples=200, deadline=None)
seeds = integers(0, 2**32)
timings = sampled_from([LeaseTiming(), LeaseTiming(2, 1.2, 0.3), LeaseTiming(60, 40.0, 5.0)])
# With next to nothing between deadline and duration, a mistake of a tenth of a second makes two leaders.
tight_timings = sampled_from([LeaseTiming(), LeaseTiming(3, 2.9, 0.1), LeaseTiming(4, 3.95, 0.1)])
# Seldom all at once: where nothing works, nobody leads, and nothing can go wrong.
storms = builds(
    Weather,
    delay=sampled_from([0.02, 1.0]),
    lost=sampled_from([0.0, 0.0, 0.0, 0.3]),
    unanswered=sampled_from([0.0, 0.0, 0.0, 0.3]),
    late=sampled_from([0.0, 0.0, 0.0, 0.3]),
    cut_off=sampled_from([0.01, 0.03]),
    cut=sampled_from([5.0, 40.0]),
    paused=sampled_from([0.0, 0.0, 0.05]),
    pause=sampled_from([0.5, 40.0]),
)
# A trip takes CALM.delay at most; a look, a claim and whatever was under way before take a few.
TRIPS = 10 * CALM.delay


def elected(seed: int, timing: LeaseTiming, weather: Weather, replicas: int) -> World:
    world = World(seed, timing, weather)
    for _ in range(replicas):
        world.join()
    return world


def storm_until(world: World, end: float) -> None:
    while world.now < end:
        world.run_until(world.now + world.timing.retry_period)
        world.replace_ended()


@thorough
@given(seed=seeds, timing=tight_timings, storm=storms, replicas=integers(2, 4))
def test_no_two_lead_at_once(seed: int, timing: LeaseTiming, storm: Weather, replicas: int) -> None:
    world = elected(seed, timing, storm, replicas)
    storm_until(world, 30 * timing.duration)
    assert world.most_at_once <= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_changes_leaders(seed: int) -> None:
    """So that the property above speaks of something."""
    world = elected(
        seed, LeaseTiming(), Weather(delay=0.3, lost=0.2, unanswered=0.2, late=0.2, paused=0.1, pause=40), 3
    )
    storm_until(world, 2000)
    assert len(world.leading) > 10
    assert world.most_at_once == 1


@patient
@given(seed=seeds, timing=timings, storm=storms, replicas=integers(2, 4))
def test_after_a_storm_somebody_leads_soon(seed: int, timing: LeaseTiming, storm: Weather, replicas: int) -> None:
    world = elected(seed, timing, storm, replicas)
    storm_until(world, 5 * timing.duration)
    world.calm_down()
    world.run_until(world.now + timing.request_timeout)  # what was sent into the storm is given up
    world.replace_ended()
    limit = world.now + timing.duration + timing.retry_period + TRIPS
    assert world.run_until(limit, lambda: bool(world.holders()))
    assert world.most_at_once <= 1


@patient
@given(seed=seeds, timing=timings, replicas=integers(2, 4), moment=floats(0, 3))
def test_a_dead_leader_is_followed_within_duration_and_retry(
    seed: int, timing: LeaseTiming, replicas: int, moment: float
) -> None:
    world = elected(seed, timing, CALM, replicas)
    assert world.run_until(TRIPS, lambda: bool(world.holders()))
    world.run_until(world.now + moment * timing.duration)
    world.leader().kill()
    killed = world.now
    assert world.run_until(killed + 3 * timing.duration, lambda: bool(world.holders()))
    assert timing.duration - timing.retry_period - TRIPS <= world.now - killed
    assert world.now - killed <= timing.duration + timing.retry_period + TRIPS


@patient
@given(seed=seeds, timing=timings, replicas=integers(2, 4), moment=floats(0, 3))
def test_a_lease_given_back_is_taken_within_retry(seed: int, timing: LeaseTiming, replicas: int, moment: float) -> None:
    world = elected(seed, timing, CALM, replicas)
    world.run_until(moment * timing.duration + TRIPS)
    first = world.leader()
    first.stopping = True
    stopped = world.now
    limit = stopped + 2 * timing.retry_period + TRIPS  # the leader's own wait, then the others'
    assert world.run_until(limit, lambda: world.leading[-1][1] != first.candidate.identity)
    assert world.most_at_once == 1


@patient
@given(seed=seeds, timing=timings)
def test_in_calm_weather_the_leader_stays(seed: int, timing: LeaseTiming) -> None:
    world = elected(seed, timing, CALM, 3)
    world.run_until(12 * timing.duration)
    assert len(world.leading) == 1
    assert len(world.holders()) == 1
