from controller.placement.occupant import cost
from tests.builders.occupant import occupant


def test_the_highest_priorities_are_compared_first() -> None:
    one_important = [occupant("a", priority=9), occupant("b", priority=0)]
    assert cost([occupant("c", priority=5), occupant("d", priority=5)]) < cost(one_important)


def test_one_that_serves_weighs_more_than_one_that_nobody_makes_anew() -> None:
    assert cost([occupant("a", ready=False, owned=False)]) < cost([occupant("b", ready=True, owned=True)])
