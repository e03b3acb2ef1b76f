from random import Random

from controller.placement.demand import Demand, PodConstraints, Requirement, Resources
from controller.placement.expectation import CHANGED, ENOUGH, FEW, SEEN, Expectation, Known


def _claims(first: int, number: int, size: int = 10) -> list[Demand]:
    pod = PodConstraints(resources=Resources(cpu_milli=4000, pods=1))
    return [Demand(f"a/{n}", f"u{n}", "a", Requirement(bytes=size), pod) for n in range(first, first + number)]


def _observe(expectation: Expectation, claims: list[Demand]) -> bool:
    """Whether the mix has changed with any of them."""
    return max([expectation.observe(each) for each in claims])


def test_a_few_claims_tell_nothing() -> None:
    expectation = Expectation()
    assert not _observe(expectation, _claims(0, ENOUGH - 1))
    assert expectation.mix == {}


def test_enough_claims_are_a_mix() -> None:
    expectation = Expectation()
    assert _observe(expectation, [*_claims(0, 15), *_claims(50, 5, size=40)])
    assert expectation.mix == {(4000, 10, 1): 0.75, (4000, 40, 1): 0.25}


def test_a_claim_counts_once_however_often_it_is_tried() -> None:
    assert not _observe(Expectation(), _claims(0, 1) * 100)


def test_while_few_were_seen_as_many_again_must_come() -> None:
    expectation = Expectation()
    _observe(expectation, _claims(0, ENOUGH))
    assert not _observe(expectation, _claims(100, ENOUGH - 1, size=40))
    assert _observe(expectation, _claims(200, 1, size=40))


def test_the_mix_changes_only_with_a_good_part_of_it() -> None:
    expectation = Expectation()
    _observe(expectation, _claims(0, 2 * FEW))
    before = expectation.mix
    assert not _observe(expectation, _claims(1000, 60, size=40))
    assert expectation.mix is before
    assert _observe(expectation, _claims(2000, 60, size=40))


def test_old_claims_are_forgotten() -> None:
    expectation = Expectation()
    _observe(expectation, _claims(0, SEEN))
    _observe(expectation, _claims(SEEN, SEEN, size=40))
    assert expectation.mix[4000, 40, 1] > 1 - CHANGED


def test_who_begins_anew_expects_what_the_one_before_expected() -> None:
    chance = Random(7)
    came = [_claims(number, 1, chance.choice((10, 20, 40 + number // 200)))[0] for number in range(1500)]
    before = Expectation()
    _observe(before, came)
    listed = [Known(each.uid, number, (4000, each.requirement.bytes, 1)) for number, each in enumerate(came)]
    chance.shuffle(listed)
    after = Expectation(lambda: listed)
    assert _observe(after, came[-1:])
    assert after.mix == before.mix


def test_those_that_are_there_are_asked_for_once_and_not_counted_twice() -> None:
    known = [Known(each.uid, 0.0, (4000, 10, 1)) for each in _claims(0, ENOUGH - 1)]
    lists = iter([known])
    expectation = Expectation(lambda: next(lists))
    assert not _observe(expectation, _claims(0, ENOUGH - 1))
    assert _observe(expectation, _claims(ENOUGH, 1))
