from dataclasses import replace

from controller.sizing.margin import START_SPREAD_ROCM_BYTES, Parts, margin_bytes, start_spread_bytes, uncertainty

GIB = 2**30
PARTS = Parts(20 * GIB, 5 * GIB, GIB, GIB, GIB)


def test_the_margin_is_a_share_of_everything() -> None:
    assert margin_bytes(PARTS) == 28 * GIB * 3 // 100


def test_it_holds_what_the_formulas_leave_out_where_that_is_more() -> None:
    assert margin_bytes(replace(PARTS, uncounted_bytes=GIB)) == GIB
    assert margin_bytes(replace(PARTS, uncounted_bytes=GIB // 3)) == margin_bytes(PARTS)
    assert replace(PARTS, uncounted_bytes=GIB).total_bytes == PARTS.total_bytes


def test_the_need_may_be_higher_by_what_starts_differ() -> None:
    found = uncertainty(PARTS)
    assert PARTS.total_bytes - found.low_bytes == margin_bytes(PARTS) + PARTS.graph_bytes
    assert found.high_bytes - PARTS.total_bytes == START_SPREAD_ROCM_BYTES


def test_the_total_with_its_margin_is_never_above_what_may_be_needed() -> None:
    large = Parts(400 * GIB, 50 * GIB, GIB, GIB, GIB)
    assert large.total_bytes + margin_bytes(large) <= uncertainty(large).high_bytes


def test_starts_on_cuda_agree_better() -> None:
    assert start_spread_bytes("cuda") < start_spread_bytes("rocm")
