"""Schedules of faults and deeds: replayable, bounded, and everything comes."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.chaos import churn as churning
from tests.chaos.churn import MADE, Deed, Verb, churn
from tests.chaos.schedule import MOST_AT_ONCE, STORE, TARGETS, Fault, Kind, Settings, schedule

SEEDS = range(40)


def _overlapping(faults: tuple[Fault, ...], moment: float) -> list[Fault]:
    return [one for one in faults if one.at <= moment < one.end]


def test_a_seed_makes_the_same_schedule_again_and_another_one_another() -> None:
    settings = Settings(600.0)
    assert schedule(7, settings) == schedule(7, settings)
    assert schedule(7, settings) != schedule(8, settings)
    assert churn(7, churning.Settings(600.0)) == churn(7, churning.Settings(600.0))
    assert churn(7, churning.Settings(600.0)) != churn(8, churning.Settings(600.0))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_fault_is_undone_in_time_and_few_last_at_once(seed: int) -> None:
    settings = Settings(400.0)
    faults = schedule(seed, settings)
    assert all(0.0 <= one.at <= one.end <= settings.seconds for one in faults)
    for one in faults:
        beside = _overlapping(faults, one.at)
        assert len(beside) <= MOST_AT_ONCE
        assert sum(len(each.touches) for each in beside) == len(frozenset().union(*(each.touches for each in beside)))
        assert sum(each.target in STORE for each in beside) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_comes_and_befalls_its_own_targets(seed: int) -> None:
    faults = schedule(seed, Settings(600.0))
    assert {one.kind for one in faults} == set(Kind)
    assert all(one.target in TARGETS[one.kind] for one in faults)
    assert all(one.detail for one in faults if one.kind is Kind.HARDWARE)
    assert all(one.size for one in faults if one.kind in (Kind.CLOCK, Kind.SLOW))


def test_only_kinds_that_are_asked_for_are_drawn() -> None:
    faults = schedule(1, Settings(200.0, kinds=(Kind.KILL,)))
    assert {one.kind for one in faults} == {Kind.KILL}


@pytest.mark.parametrize("seed", SEEDS)
def test_deeds_keep_within_the_room_that_there_is(seed: int) -> None:
    settings = churning.Settings(900.0, pods=5)
    alive: dict[str, tuple[Verb, int]] = {}
    deeds = churn(seed, settings)
    assert all(before.at < after.at for before, after in pairwise(deeds))
    for deed in deeds:
        _do(deed, alive)
        assert sum(count for made, count in alive.values() if made is not Verb.BYSTANDER) <= settings.pods
    assert Counter(deed.verb for deed in deeds).keys() == set(Verb)


def _do(deed: Deed, alive: dict[str, tuple[Verb, int]]) -> None:
    if deed.verb in MADE:
        assert deed.name not in alive
        alive[deed.name] = deed.verb, deed.number
    elif deed.verb is Verb.SCALE:
        assert deed.made is not None
        assert alive[deed.name][0] is deed.made
        alive[deed.name] = deed.made, deed.number
    elif deed.verb is Verb.DELETE:
        assert alive.pop(deed.name)[0] is deed.made
