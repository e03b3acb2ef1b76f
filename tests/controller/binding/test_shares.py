import pytest

from controller.binding.shares import Share, ShareError, Whole, cu_mask, left, parse_units, take, units_text

GIB = 1 << 30
CPX = Whole(24 * GIB, 38)


def taken(*sizes: int, whole: Whole = CPX) -> list[Share]:
    """Shares of members a, b, ... of so many GiB."""
    shares: list[Share] = []
    for name, size in zip("abcdefgh", sizes, strict=False):
        share = take(whole, shares, name, size * GIB)
        assert share is not None
        shares.append(share)
    return shares


def test_compute_units_go_with_memory_one_member_after_the_other() -> None:
    assert [share.units for share in taken(12, 6, 6)] == [((0, 18),), ((19, 27),), ((28, 36),)]


def test_what_memory_is_left_has_compute_units_left() -> None:
    rest = left(CPX, taken(8, 8))
    assert (rest.bytes, rest.units) == (8 * GIB, 14)


def test_a_member_gets_no_more_than_the_others_leave() -> None:
    assert take(CPX, taken(12, 8), "late", 5 * GIB) is None


def test_whoever_comes_after_one_that_left_gets_its_place() -> None:
    first, second, third = taken(8, 8, 8)
    late = take(CPX, [first, third], "late", 8 * GIB)
    assert late is not None
    assert late.units == second.units


def test_units_come_from_several_ranges_only_where_none_is_large_enough() -> None:
    first, _, third, _ = taken(6, 6, 6, 6)
    late = take(CPX, [first, third], "late", 12 * GIB)
    assert late is not None
    assert late.units == ((9, 16), (27, 37))


def test_a_small_model_gets_one_compute_unit_at_least() -> None:
    share = take(CPX, [], "tiny", 1)
    assert share is not None
    assert share.units == ((0, 0),)


def test_without_known_compute_units_only_memory_is_shared() -> None:
    share = take(Whole(24 * GIB, 0), [], "a", 8 * GIB)
    assert share == Share("a", 8 * GIB)
    assert cu_mask(share.units) == ""


def test_the_mask_is_as_rocm_reads_it() -> None:
    assert cu_mask(((0, 37),)) == "0:0-37"
    assert cu_mask(((4, 4), (9, 17))) == "0:4,9-17"


def test_more_than_the_partition_is_an_error_and_never_cut() -> None:
    with pytest.raises(ShareError, match="in a partition of"):
        left(CPX, [Share("a", 25 * GIB)])


@pytest.mark.parametrize("units", [((0, 10), (5, 12)), ((30, 38),), ((7, 3),)])
def test_units_that_cannot_be_are_an_error(units: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ShareError, match="are taken, or not of the 38"):
        left(CPX, [Share("a", GIB, units)])


def test_one_member_has_one_share() -> None:
    with pytest.raises(ShareError, match="a has its share"):
        take(CPX, taken(8), "a", GIB)


@pytest.mark.parametrize("text", ["", "0-12", "3", "0-3,7,9-12"])
def test_ranges_are_read_as_they_were_written(text: str) -> None:
    assert units_text(parse_units(text)) == text


@pytest.mark.parametrize("text", ["a", "1-", "0x3f", "1,,2", "1-2-3", " 1"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ShareError, match="no list of compute units"):
        parse_units(text)
