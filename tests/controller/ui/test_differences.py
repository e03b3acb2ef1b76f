from hypothesis import given
from hypothesis import strategies as st

from controller.ui.differences import applied, difference

ROWS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2) | st.lists(st.integers(0, 1), max_size=1))
DOCUMENTS = st.fixed_dictionaries({"nodes": ROWS, "claims": ROWS})


@given(DOCUMENTS, DOCUMENTS)
def test_a_document_with_its_difference_is_the_other(
    before: dict[str, dict[str, object]], after: dict[str, dict[str, object]]
) -> None:
    assert applied(before, difference(before, after)) == after


@given(DOCUMENTS)
def test_equal_documents_do_not_differ(document: dict[str, dict[str, object]]) -> None:
    assert difference(document, {name: dict(rows) for name, rows in document.items()}) == {}


def test_only_rows_that_changed_are_told() -> None:
    before = {"nodes": {"a": 1, "b": 2}, "claims": {"x": 1}}
    assert difference(before, {"nodes": {"a": 1, "b": 3}, "claims": {}}) == {"nodes": {"b": 3}, "claims": {"x": None}}


def test_a_section_that_is_new_or_gone_is_told_by_its_rows() -> None:
    assert difference({"old": {"a": 1}}, {"new": {"b": 2}}) == {"new": {"b": 2}, "old": {"a": None}}
