from controller.placement.packing.host import Ask, Host
from controller.placement.packing.scorers.best_fit import BestFit, room
from controller.placement.packing.scorers.indifferent import Indifferent


def test_room_is_half_cpu_and_half_gpu_of_the_largest_node() -> None:
    assert room(128000, 8000) == 1.0
    assert room(64000, 0) == 0.25


def test_what_is_left_decides_in_whole_hundredths() -> None:
    scorer, ask = BestFit(), Ask(0)
    fuller, emptier = Host(12800, 0, (0,)), Host(25600, 0, (0,))
    assert scorer.cost(emptier, fuller, ask) == -95
    assert scorer.cost(emptier, emptier, ask) == -90


def test_the_indifferent_one_sees_no_difference() -> None:
    one, other = Host(1, 0, (5,)), Host(9, 0, (7,))
    assert Indifferent().cost(one, other, Ask(1)) == Indifferent().cost(other, one, Ask(2))
