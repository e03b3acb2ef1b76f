import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.translate.quantity import cpu_milli, memory_bytes

SCALE: dict[str, int | Fraction] = {
    "": 1, "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": 10**3, "M": 10**6,
    "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
    "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
numbers = st.from_regex(r"[0-9]{1,6}(\.[0-9]{0,3})?", fullmatch=True)


@given(numbers, st.sampled_from(sorted(SCALE)))
def test_quantities_agree_with_fractions_rounded_up(number: str, suffix: str) -> None:
    exact = Fraction(number.rstrip(".")) * SCALE[suffix]
    assert memory_bytes(number + suffix) == math.ceil(exact)
    assert cpu_milli(number + suffix) == math.ceil(exact * 1000)


@given(numbers, st.integers(-6, 12), st.sampled_from("eE"))
def test_exponents_agree_too(number: str, exponent: int, letter: str) -> None:
    exact = Fraction(number.rstrip(".")) * Fraction(10) ** exponent
    assert memory_bytes(f"{number}{letter}{exponent}") == math.ceil(exact)


@pytest.mark.parametrize(
    ("text", "want"),
    [("100m", 100), ("2", 2000), ("1.5", 1500), (".5", 500), ("0.1m", 1), (2, 2000), (0.25, 250), ("1e2", 100_000)],
)
def test_cpu(text: str | float, want: int) -> None:
    assert cpu_milli(text) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [("1Gi", 1 << 30), ("1G", 10**9), ("1k", 1000), ("1Ki", 1024), ("1500m", 2), ("12E", 12 * 10**18), ("0", 0)],
)
def test_memory(text: str, want: int) -> None:
    assert memory_bytes(text) == want


@pytest.mark.parametrize("text", ["", "Gi", "1gi", "1K", "1 Gi", "one", "1Gi ", "--1", "1e", "0x10", "1_000", "٣"])
def test_other_texts_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not understood; write e\.g\.") as refusal:
        memory_bytes(text)
    assert repr(text) in str(refusal.value)
