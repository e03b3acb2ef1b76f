from controller.placement.demand import Demand, PodConstraints, Requirement, Resources
from controller.placement.expectation import ENOUGH, SEEN, Expectation


def _claims(first: int, number: int, size: int = 10) -> list[Demand]:
    pod = PodConstraints(resources=Resources(cpu_milli=4000, pods=1))
    return [Demand(f"a/{n}", f"u{n}", "a", Requirement(bytes=size), pod) for n in range(first, first + number)]


def test_a_few_claims_tell_nothing() -> None:
    expectation = Expectation()
    assert not expectation.observe(_claims(0, ENOUGH - 1))
    assert expectation.mix == {}


def test_enough_claims_are_a_mix() -> None:
    expectation = Expectation()
    assert expectation.observe([*_claims(0, 15), *_claims(50, 5, size=40)])
    assert expectation.mix == {(4000, 10, 1): 0.75, (4000, 40, 1): 0.25}


def test_a_claim_counts_once_however_often_it_is_tried() -> None:
    expectation = Expectation()
    assert not expectation.observe(_claims(0, 1) * 100)


def test_the_mix_changes_only_with_a_good_part_of_it() -> None:
    expectation = Expectation()
    expectation.observe(_claims(0, 100))
    before = expectation.mix
    assert not expectation.observe(_claims(200, 8, size=40))
    assert expectation.mix is before
    assert expectation.observe(_claims(300, 10, size=40))


def test_old_claims_are_forgotten() -> None:
    expectation = Expectation()
    expectation.observe(_claims(0, SEEN))
    expectation.observe(_claims(SEEN, SEEN, size=40))
    assert expectation.mix == {(4000, 40, 1): 1.0}
