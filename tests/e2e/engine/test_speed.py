import pytest

from e2e.engine.speed import roofline


def test_an_eight_billion_model_on_an_eighth_of_a_gpu() -> None:
    speed = roofline(9 * 10**9, 8 * 10**9, 38, 38)
    assert speed.step(0, 1) == pytest.approx(0.031, abs=0.002)
    assert speed.step(1000, 0) - speed.step(0, 0) == pytest.approx(0.196, abs=0.005)


def test_a_share_computes_slower_and_reads_as_fast_as_nobody_else_reads() -> None:
    whole, share = roofline(10**9, 10**9, 40, 40), roofline(10**9, 10**9, 10, 40)
    assert share.prefill == pytest.approx(4 * whole.prefill)
    assert share.read == whole.read
    assert share.step(0, 0, readers=2) - share.step(0, 0) == pytest.approx(whole.read)


@pytest.mark.parametrize("units", [0, 39])
def test_a_share_that_cannot_be(units: int) -> None:
    with pytest.raises(ValueError, match=f"computeUnits {units} of 38"):
        roofline(1, 1, units, 38)
