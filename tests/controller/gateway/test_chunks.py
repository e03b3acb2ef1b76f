import h11
import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.gateway.chunks import ChunkBorders, ChunkedBody
from controller.gateway.malformed import Malformed


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def fed(wire: bytes, pieces: list[int], limit: int = 1 << 20) -> tuple[ChunkedBody, int]:
    """A body that came in pieces of these sizes and the rest, and how many bytes of the wire were its own."""
    body = ChunkedBody(limit)
    taken = at = 0
    for size in [*pieces, len(wire)]:
        piece = wire[at : at + size]
        at += len(piece)
        if piece and not body.ended:
            taken += body.feed(piece)
    return body, taken


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.lists(st.integers(1, 30), max_size=40),
    st.binary(max_size=9),
)
def test_a_body_is_the_same_whatever_pieces_it_comes_in(chunks: list[bytes], pieces: list[int], after: bytes) -> None:
    wire = chunked(*chunks)
    body, taken = fed(wire + after, pieces)
    assert body.whole() == b"".join(chunks)
    assert taken == len(wire)


def test_what_follows_is_left() -> None:
    wire = chunked(b"abc")
    borders = ChunkBorders()
    assert borders.feed(b"head" + wire + b"GET /", 4) == 4 + len(wire)
    assert (borders.ended, borders.data_bytes) == (True, 3)
    with pytest.raises(ValueError, match="has ended"):
        borders.feed(b"GET /")


@pytest.mark.parametrize("cut", range(len(chunked(b"abc", b"0123456789abcdef!"))))
def test_what_follows_is_left_wherever_a_piece_ends(cut: int) -> None:
    wire = chunked(b"abc", b"0123456789abcdef!")
    borders = ChunkBorders()
    first = borders.feed(wire[:cut]) if cut else 0
    assert first == cut
    assert not borders.ended
    assert borders.feed(b"???" + wire[cut:] + b"more", 3) == 3 + len(wire) - cut
    assert borders.ended


REFUSED = [
    ("no size", b"\r\nabc"),
    ("a size that is no number", b"xyz\r\n"),
    ("a size with a sign", b"+3\r\nabc\r\n"),
    ("a size below zero", b"-1\r\n"),
    ("a size with 0x", b"0x3\r\nabc\r\n"),
    ("a size with an underscore", b"1_0\r\n"),
    ("a size with space before", b" 3\r\nabc\r\n"),
    ("a size with space after", b"3 \r\nabc\r\n"),
    ("a size of nine digits", b"000000003\r\nabc\r\n"),
    ("an extension", b"3;a=b\r\nabc\r\n"),
    ("an extension in the last", b"0;a\r\n\r\n"),
    ("a size that a line feed alone ends", b"3\nabc\r\n"),
    ("a size that a carriage return alone ends", b"3\rabc\r\n"),
    ("data that a line feed alone ends", b"3\r\nabc\n0\r\n\r\n"),
    ("data that a carriage return alone ends", b"3\r\nabc\r0\r\n\r\n"),
    ("more data than the size says", b"3\r\nabcd\r\n"),
    ("less data than the size says", b"5\r\nabc\r\n0\r\n\r\n"),
    ("trailers", b"0\r\nContent-Length: 5\r\n\r\n"),
    ("an end that a line feed alone ends", b"0\r\n\n"),
]


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
@pytest.mark.parametrize("wire", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses(wire: bytes, step: int) -> None:
    with pytest.raises(Malformed):
        fed(wire + b"more", [step] * len(wire))


@pytest.mark.parametrize(
    "begun", [b"\r", b"g", b"3;", b"3\r\r", b"123456789", b"3\r\nabcx", b"3\r\nabc\rx", b"0\r\nx", b"0\r\n\rx"]
)
def test_what_cannot_go_on_is_refused_with_the_byte_that_shows_it(begun: bytes) -> None:
    """Pieces are passed on before the next one comes, so a byte too late is a byte that a client has got."""
    borders = ChunkBorders()
    for byte in begun[:-1]:
        borders.feed(bytes([byte]))
    with pytest.raises(Malformed):
        borders.feed(begun[-1:])


def test_a_body_beyond_the_limit_is_refused_before_it_has_come() -> None:
    with pytest.raises(Malformed) as caught:
        fed(b"b\r\nabcdefghijk\r\n", [], limit=10)
    assert caught.value.status == 413
    assert fed(chunked(b"a" * 10), [], limit=10)[0].whole() == b"a" * 10


def test_chunks_of_one_byte_cost_no_more_memory_than_one_chunk() -> None:
    body, _ = fed(chunked(*[b"a"] * 10_000), [])
    assert isinstance(body._body, bytearray)
    assert body.whole() == b"a" * 10_000


def test_a_body_that_has_not_ended_is_not_whole() -> None:
    with pytest.raises(ValueError, match="not ended"):
        ChunkedBody(10).whole()


@pytest.mark.parametrize(
    ("wire", "want"),
    [
        (b"", True),
        (b"3\r\nabc\r\n", True),
        (b"3", False),
        (b"3\r\nab", False),
        (b"3\r\nabc\r", False),
        (b"0\r\n\r\n", False),
    ],
)
def test_another_chunk_may_follow_the_end_of_one_alone(wire: bytes, want: bool) -> None:
    borders = ChunkBorders()
    borders.feed(wire)
    assert borders.at_border is want


@pytest.mark.parametrize("before", [b"", b"3\r\nabc\r\n", b"3", b"3\r\nab", b"3\r\nabc\r", b"0\r"])
def test_after_a_piece_that_is_refused_it_is_where_it_was_before(before: bytes) -> None:
    borders = ChunkBorders()
    borders.feed(before)
    was_at_border = borders.at_border
    for bad in (b"zz\r\n", b"?" * 20, b"\r\n\r\nzz"):
        with pytest.raises(Malformed):
            borders.feed(bad)
        assert borders.at_border is was_at_border


SPECKS = [b"\r", b"\n", b"\r\n", b"\0", b" ", b";", b"0", b"00", b"5", b"f", b"F", b"x", b"-", b"3\r\nabc\r\n"]


@st.composite
def nearly_chunked(draw: st.DrawFn) -> bytes:
    wire = bytearray(chunked(*draw(st.lists(st.sampled_from([b"abc", b"\r\n", b"0\r\n\r\n", b"x" * 17]), max_size=3))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(wire)))
        wire[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from([*SPECKS, b""]))
    return bytes(wire)


class Body:
    """What llhttp takes for a body."""

    def __init__(self) -> None:
        self.data = b""
        self.wholes = 0

    def on_body(self, data: bytes) -> None:
        self.data += data

    def on_message_complete(self) -> None:
        self.wholes += 1


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@given(nearly_chunked(), st.lists(st.integers(1, 9), max_size=20))
@settings(max_examples=1000, deadline=None)
def test_llhttp_and_h11_read_what_we_accept_as_the_same_body(wire: bytes, pieces: list[int]) -> None:
    try:
        body, taken = fed(wire, pieces)
    except Malformed:
        return
    if not body.ended:
        return
    seen = Body()
    httptools.HttpRequestParser(seen).feed_data(HEAD + wire[:taken])
    assert (seen.data, seen.wholes) == (body.whole(), 1)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(HEAD + wire[:taken])
    connection.next_event()
    data = b""
    while isinstance(event := connection.next_event(), h11.Data):
        data += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert (data, connection.trailing_data[0]) == (body.whole(), b"")
