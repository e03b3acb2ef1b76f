from collections import Counter

import pytest

from controller.gpu.mode import mode
from controller.placement.layouts.problem import LayoutClaim
from tests.benchmarks.placement.layouts_fleet import Fleet
from tests.benchmarks.placement.operator_online import Operator

GIB = 1 << 30
SMALL = [LayoutClaim(f"small-{n}", 20 * GIB) for n in range(8)]


@pytest.mark.parametrize(
    ("divides", "want"),
    [
        pytest.param(True, {"CPX/NPS1": 1, "SPX/NPS1": 7}, id="one GPU is divided for all of them"),
        pytest.param(False, {"SPX/NPS1": 8}, id="each takes a whole one"),
    ],
)
def test_the_operator_s_policy_decides_what_small_claims_take(divides: bool, want: dict[str, int]) -> None:
    fleet = Fleet(["MI300X"], mode("SPX/NPS1"))
    assert Operator(divides=divides)(fleet, SMALL) == {claim.key for claim in SMALL}
    assert Counter(map(str, fleet.hosts[0].modes)) == want


def test_a_large_claim_that_comes_with_small_ones_gets_a_whole_gpu() -> None:
    fleet = Fleet(["MI300X"], mode("SPX/NPS1"))
    large = [LayoutClaim(f"large-{n}", 150 * GIB) for n in range(7)]
    assert len(Operator()(fleet, [*SMALL, *large])) == 15


def test_what_does_not_fit_waits() -> None:
    assert Operator()(Fleet(["MI210"], mode("SPX/NPS1")), [LayoutClaim("large", 150 * GIB)]) == set()
