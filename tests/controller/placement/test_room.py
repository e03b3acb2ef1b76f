from dataclasses import replace

import pytest

from controller.gpu.mode import Mode
from controller.placement.demand import Requirement
from controller.placement.room import could_hold
from controller.placement.snapshot import Node
from controller.sizing.precision import Precision
from tests.builders.gpu import GIB, full, gpu
from tests.builders.node import node

EIGHT = node("worker-0", *[full(number) for number in range(8)])
MIXED = node("worker-0", gpu(0), gpu(1, "SPX/NPS1", product="MI210"))
SPX = frozenset({Mode.parse("SPX/NPS1")})


@pytest.mark.parametrize(
    ("host", "gib", "count", "want"),
    [
        pytest.param(EIGHT, 150, 8, True, id="each GPU whole, whoever holds it and whatever its mode"),
        pytest.param(EIGHT, 150, 9, False, id="one more than there are GPUs"),
        pytest.param(EIGHT, 90, 16, True, id="halves"),
        pytest.param(EIGHT, 200, 1, False, id="more than a GPU has"),
        pytest.param(MIXED, 45, 4, True, id="of one product"),
        pytest.param(MIXED, 45, 5, False, id="not of two products together"),
        pytest.param(node("worker-0", replace(gpu(), product="MI999X")), 20, 8, True, id="an unknown GPU as it is"),
        pytest.param(node("worker-0", replace(gpu(), product="MI999X")), 90, 1, False, id="an unknown GPU otherwise"),
    ],
)
def test_what_a_node_could_hold_were_it_empty(host: Node, gib: int, count: int, want: bool) -> None:
    assert could_hold(host, Requirement(gib * GIB, count)) == want


def test_the_modes_and_the_precision_asked_for_count() -> None:
    assert not could_hold(EIGHT, Requirement(20 * GIB, 9, SPX))
    assert could_hold(EIGHT, Requirement(20 * GIB, 8, SPX))
    assert not could_hold(MIXED, Requirement(20 * GIB, 9, precision=Precision.FP8))
