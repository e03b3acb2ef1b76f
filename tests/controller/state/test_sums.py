"""Sums that are kept up entry by entry."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from controller.state.sums import Sums, Vectors

AMOUNTS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3))


@given(st.lists(st.tuples(st.sampled_from("abc"), AMOUNTS), max_size=20))
def test_they_are_those_of_the_entries_that_there_are(changes: list[tuple[str, dict[str, int]]]) -> None:
    sums: Sums[str] = Sums()
    entries: dict[str, dict[str, int]] = {}
    for entry, amounts in changes:
        sums.put(entry, amounts)
        entries[entry] = amounts
        expected: Counter[str] = Counter()
        for each in entries.values():
            expected.update(each)
        assert sums.totals == {key: total for key, total in expected.items() if total}


def test_what_is_gone_leaves_nothing_behind() -> None:
    sums: Sums[str] = Sums()
    sums.put("a", {"x": 2})
    sums.put("a", {})
    sums.put("b", {})
    assert dict(sums.totals) == {}


ROWS = st.dictionaries(st.sampled_from("xyz"), st.tuples(st.integers(0, 3), st.integers(0, 3)))


@given(st.lists(st.tuples(st.sampled_from("abc"), ROWS), max_size=20))
def test_rows_are_added_up_place_by_place(changes: list[tuple[str, dict[str, tuple[int, int]]]]) -> None:
    vectors = Vectors()
    entries: dict[str, dict[str, tuple[int, int]]] = {}
    for entry, amounts in changes:
        vectors.put(entry, amounts)
        entries[entry] = amounts
        for key in "xyz":
            rows = [each[key] for each in entries.values() if key in each]
            assert list(vectors.totals.get(key, (0, 0))) == [sum(row[place] for row in rows) for place in range(2)]
