"""Quantities of memory: what is understood, what is refused, and that nothing is lost on the way."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.quantity import QUANTITY_PATTERN, QuantityError, format_bytes, parse_quantity, rounded_up


@pytest.mark.parametrize(
    ("text", "want_bytes"),
    [
        pytest.param("0", 0, id="zero"),
        pytest.param("1024", 1024, id="no suffix counts bytes"),
        pytest.param("192Gi", 192 * 1024**3, id="binary suffix"),
        pytest.param("192G", 192 * 10**9, id="decimal suffix"),
        pytest.param("1.5Gi", 1536 * 1024**2, id="a fraction of a unit"),
        pytest.param("0.1", 1, id="a fraction of a byte counts as a whole one"),
        pytest.param("24574Mi", 25_767_706_624, id="a CPX slice of an MI300X"),
    ],
)
def test_a_quantity_is_understood(text: str, want_bytes: int) -> None:
    assert parse_quantity(text) == want_bytes


@pytest.mark.parametrize("text", ["", "24GB", "24 Gi", "-1Gi", "+1Gi", "1e3", "Gi", "1.Gi", "100m", "٣Gi", "1Gi\n"])
def test_another_form_is_refused_by_name_with_a_remedy(text: str) -> None:
    with pytest.raises(QuantityError, match="such as 24Gi") as refused:
        parse_quantity(text)
    assert repr(text) in str(refused.value)


@given(st.integers(min_value=0, max_value=2**60))
def test_formatting_is_exact(count: int) -> None:
    assert parse_quantity(format_bytes(count)) == count


@given(st.integers(min_value=0, max_value=2**60))
def test_what_is_formatted_passes_the_schema(count: int) -> None:
    assert re.fullmatch(QUANTITY_PATTERN, format_bytes(count))


@given(st.integers(min_value=1, max_value=2**50))
def test_rounding_for_people_never_promises_too_little(count: int) -> None:
    shown = parse_quantity(rounded_up(count))
    assert count <= shown < count + 1024**2


@given(st.from_regex(QUANTITY_PATTERN[:-1] + r"\Z"))
def test_whatever_the_schema_lets_through_is_understood(text: str) -> None:
    assert parse_quantity(text) >= 0


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(QuantityError, match="-1"):
        format_bytes(-1)
