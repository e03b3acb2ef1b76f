"""What of free memory could be used by what is expected."""

import random
from itertools import pairwise

import pytest

from controller.placement.expectation import Shape
from controller.placement.fragmentation import FreeRoom, least_demanding
from controller.placement.packing.host import WHOLE, Ask, Host
from controller.placement.packing.scorers.fragmentation import Fragmentation
from controller.placement.packing.workload import Kind

ROOM = FreeRoom.of(4_000, [48, 24, 24, 192])


@pytest.mark.parametrize(
    ("shape", "usable"),
    [
        pytest.param((1_000, 24, 1), 288, id="all that is free holds it"),
        pytest.param((1_000, 25, 1), 240, id="small ones do not hold it"),
        pytest.param((1_000, 192, 1), 192, id="one holds it exactly"),
        pytest.param((1_000, 193, 1), 0, id="none holds it"),
        pytest.param((4_000, 24, 4), 288, id="CPU and number just suffice"),
        pytest.param((4_001, 24, 1), 0, id="CPU does not suffice"),
        pytest.param((1_000, 48, 3), 0, id="there are too few"),
    ],
)
def test_a_shape_uses_the_partitions_that_hold_it_or_nothing(shape: Shape, usable: int) -> None:
    assert ROOM.usable(shape) == usable


@pytest.mark.parametrize(
    ("shapes", "stranded"),
    [
        pytest.param([(1_000, 30, 1), (1_000, 100, 1)], 48, id="too small for the smallest"),
        pytest.param([(1_000, 24, 1)], 0, id="everything holds it"),
        pytest.param([(5_000, 24, 1), (1_000, 100, 1)], 96, id="who would fit by size lacks CPU"),
        pytest.param([(5_000, 24, 1)], 288, id="nobody fits"),
    ],
)
def test_stranded_is_what_no_shape_can_use(shapes: list[Shape], stranded: int) -> None:
    assert ROOM.stranded(shapes) == stranded


def test_nothing_is_free_on_a_full_node() -> None:
    room = FreeRoom.of(1_000, [])
    assert (room.bytes, room.usable((0, 1, 1)), room.stranded([(0, 1, 1)])) == (0, 0, 0)


def test_the_least_demanding_fit_wherever_any_does() -> None:
    rng = random.Random(3)
    for _ in range(200):
        shapes = [(rng.randrange(4), rng.randrange(1, 4), rng.randrange(1, 4)) for _ in range(rng.randrange(1, 12))]
        least = least_demanding(shapes)
        assert least <= set(shapes)
        room = FreeRoom.of(rng.randrange(4), [rng.randrange(1, 4) for _ in range(rng.randrange(6))])
        assert room.stranded(least) == room.stranded(shapes)
        assert all(not _asks_more(one, other) for one in least for other in least)


def _asks_more(one: Shape, other: Shape) -> bool:
    return one != other and all(less <= more for less, more in zip(other, one, strict=True))


def test_it_is_the_published_measure() -> None:
    """The scorer that was written from the publication says the same of a node of one GPU model, in thousandths."""
    rng = random.Random(5)
    differing = 0
    for _ in range(200):
        shapes = {(rng.randrange(8_000), rng.randrange(1, WHOLE), rng.randrange(1, 4)) for _ in range(5)}
        kinds: dict[int, list[Kind]] = {}
        for cpu_milli, need, count in shapes:
            kinds.setdefault(need, []).append(Kind(Ask(cpu_milli, 0, count, need), 1 / len(shapes)))
        cpu_milli = rng.randrange(8_000)
        pieces = sorted(rng.randrange(1, WHOLE) for _ in range(rng.randrange(1, 6)))
        published = Fragmentation(kinds)._usable(Host(cpu_milli, 0, pieces, divisible=False))
        ours = sum(FreeRoom.of(cpu_milli, pieces).usable(shape) / len(shapes) for shape in shapes)
        assert ours == pytest.approx(published)
        differing += 0 < ours < sum(pieces)
    assert differing > 50


def test_what_is_smaller_comes_first() -> None:
    assert all(before <= after for before, after in pairwise(ROOM.sizes))
    assert ROOM.bytes == 288
