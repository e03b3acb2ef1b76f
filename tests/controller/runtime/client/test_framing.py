"""Chunks of any size become the same lines."""

from hypothesis import given
from hypothesis import strategies as st

from controller.runtime.client.framing import LineFramer


def test_a_line_over_several_chunks() -> None:
    framer = LineFramer()
    assert [framer.feed(chunk) for chunk in (b"ab", b"c\nd", b"\n")] == [[], [b"abc"], [b"d"]]


def test_several_lines_in_a_chunk_and_a_rest() -> None:
    framer = LineFramer()
    assert framer.feed(b"a\nb\n\n \r\nc") == [b"a", b"b"]
    assert framer.pending_bytes == 1


def test_a_line_of_megabytes() -> None:
    framer = LineFramer()
    for _ in range(100):
        assert framer.feed(b"x" * 65536) == []
    assert [len(line) for line in framer.feed(b"\n")] == [100 * 65536]


@given(st.lists(st.binary(max_size=8)))
def test_cutting_differently_changes_nothing(chunks: list[bytes]) -> None:
    pieces, whole = LineFramer(), LineFramer()
    cut = [line for chunk in chunks for line in pieces.feed(chunk)]
    assert cut == whole.feed(b"".join(chunks))
    assert pieces.pending_bytes == whole.pending_bytes
