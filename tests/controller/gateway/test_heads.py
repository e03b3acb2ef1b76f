import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gateway import heads as room
from controller.gateway.framing import CHUNKED, RequestHead, ResponseHead, parse_request_head
from controller.gateway.heads import HeadReader, Heads, request_heads, response_heads
from controller.gateway.malformed import Malformed
from tests.builders.http_head import request_head


class Counted:
    """Reads heads, and knows how often."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, raw: bytes) -> RequestHead:
        self.read += 1
        return parse_request_head(raw)


def length_head(length: str, *lines: str) -> bytes:
    return request_head(f"Content-Length: {length}", *lines)


def test_a_head_that_differs_in_its_length_alone_is_read_once() -> None:
    parse = Counted()
    heads = Heads(parse, head_bytes=1000)
    seen = [heads.read(length_head(length)) for length in ("5", "123", "0", "00007")]
    assert [found[1] for found in seen if found] == [5, 123, 0, 7]
    assert parse.read == 1
    assert len({id(found[0]) for found in seen if found}) == 1


def test_it_says_where_the_body_begins() -> None:
    heads = request_heads(head_bytes=1000, header_count=100)
    raw = length_head("5")
    found = heads.read(b"12345" + raw + b"hello", 5)
    assert found is not None
    assert found[2] == 5 + len(raw)


def test_a_head_that_differs_in_anything_else_is_read() -> None:
    parse = Counted()
    heads = Heads(parse, head_bytes=1000)
    for line in ("A: 1", "A: 2", "a: 1", "A:1", "A: 1 "):
        heads.read(length_head("5", line))
    assert parse.read == 5


def test_a_length_of_nothing_is_not_taken_for_one_whose_digits_were_cut_out() -> None:
    heads = request_heads(head_bytes=1000, header_count=100)
    assert heads.read(length_head("5"))
    with pytest.raises(Malformed, match="Content-Length is ''"):
        heads.read(request_head("Content-Length: "))


@pytest.mark.parametrize(
    "second", [["Content-Length: 6"], ["Content-Length: "], ["content-length:6"], ["Transfer-Encoding: chunked"]]
)
def test_a_second_length_is_refused_every_time(second: list[str]) -> None:
    heads = request_heads(head_bytes=1000, header_count=100)
    for length in ("5", "6", "7"):
        assert heads.read(length_head(length))
        with pytest.raises(Malformed):
            heads.read(length_head(length, *second))
        with pytest.raises(Malformed):
            heads.read(request_head(*second, f"Content-Length: {length}"))


def test_an_answer_without_a_body_stays_one_when_its_head_comes_again() -> None:
    heads = response_heads(head_bytes=1000, header_count=100)
    raw = b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n"
    seen = [heads.read(raw % length) for length in (0, 5, 0, 5)]
    assert [found[1] for found in seen if found] == [0, 0, 0, 0]


def test_chunks_are_known_from_a_remembered_head() -> None:
    heads = request_heads(head_bytes=1000, header_count=100)
    raw = request_head("Transfer-Encoding: chunked")
    assert [found[1] for found in (heads.read(raw), heads.read(raw)) if found] == [CHUNKED, CHUNKED]


@pytest.mark.parametrize("cut", [0, 1, 10, -1, -2, -3, -4])
def test_a_head_that_is_not_whole_yet_is_waited_for(cut: int) -> None:
    raw = request_head("A: 1")
    assert request_heads(head_bytes=1000, header_count=100).read(raw[:cut]) is None


HOPELESS = [
    ("a head that is too long", b"GET / HTTP/1.1\r\nA: " + b"x" * 1000, "HeadTooLarge"),
    ("a line feed alone", b"GET / HTTP/1.1\nHost: a\n\n", "BareLineFeed"),
    ("a handshake of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "BadRequestLine"),
]


@pytest.mark.parametrize(("data", "want"), [row[1:] for row in HOPELESS], ids=[row[0] for row in HOPELESS])
def test_what_cannot_become_a_head_is_refused_at_once(data: bytes, want: str) -> None:
    with pytest.raises(Malformed) as caught:
        request_heads(head_bytes=500, header_count=100).read(data)
    assert caught.value.reason == want


def test_a_head_is_not_longer_than_allowed_by_its_end_either() -> None:
    raw = request_head("A: " + "x" * 500)
    assert request_heads(head_bytes=len(raw), header_count=100).read(raw)
    with pytest.raises(Malformed, match="longer than"):
        request_heads(head_bytes=len(raw) - 1, header_count=100).read(raw)


def test_memory_is_bounded_and_what_is_used_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "REMEMBERED_BYTES", 2000)
    parse = Counted()
    heads = Heads(parse, head_bytes=1000)
    for number in range(500):
        heads.read(request_head(f"X-Request-Id: {number}"))
        heads.read(length_head("5"))
    assert parse.read == 501
    assert sum(map(len, [*heads._young, *heads._old])) <= 4000


def test_a_long_head_pushes_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = Counted()
    heads = Heads(parse, head_bytes=20_000)
    for _ in range(3):
        heads.read(request_head("A: " + "x" * room.LONGEST_REMEMBERED))
    assert parse.read == 3


LINES = ["Content-Length: 5", "Content-Length: 77", "content-length: 5", "CONTENT-LENGTH: 9", "Content-Length:5"]
LINES += [
    "Content-Length: ",
    "Content-Length: 5 ",
    "Content-Length: 5\r\nContent-Length: 5",
    "Transfer-Encoding: chunked",
]
LINES += ["A: 1", "A: Content-Length: 5", "X-Content-Length: 5", "Connection: close", "Expect: 100-continue"]


@given(st.lists(st.lists(st.sampled_from(LINES), max_size=3), max_size=12))
def test_memory_changes_nothing_in_what_is_read(sent: list[list[str]]) -> None:
    remembering = request_heads(head_bytes=1000, header_count=100)
    for lines in sent:
        raw = request_head(*lines)
        assert outcome(remembering, raw) == outcome(request_heads(head_bytes=1000, header_count=100), raw)


@given(st.lists(st.lists(st.sampled_from(LINES), max_size=3), max_size=12), st.sampled_from([120, 1000]))
def test_the_memory_of_one_connection_changes_nothing_either(sent: list[list[str]], longest: int) -> None:
    reader = HeadReader(request_heads(head_bytes=longest, header_count=100))
    for lines in sent:
        raw = request_head(*lines)
        assert outcome(reader, raw + b"body") == outcome(
            request_heads(head_bytes=longest, header_count=100), raw + b"body"
        )


def test_a_connection_that_sends_the_same_head_again_asks_nobody() -> None:
    heads = request_heads(head_bytes=1000, header_count=100)
    reader = HeadReader(heads)
    first = reader.read(length_head("5"))
    heads._young.clear()
    again = reader.read(b"12345" + length_head("00123") + b"body", 5)
    assert first is not None
    assert again is not None
    assert again[0] is first[0]
    assert again[1:] == (123, 5 + len(length_head("00123")))


@pytest.mark.parametrize("length", ["", "5x", "+5", "1_0", "5" * 16, "\u0665"])
def test_what_is_no_length_is_refused_after_one_that_was(length: str) -> None:
    reader = HeadReader(request_heads(head_bytes=1000, header_count=100))
    assert reader.read(length_head("5"))
    with pytest.raises(Malformed):
        reader.read(length_head("5").replace(b": 5", b": " + length.encode()))


def outcome(heads: Heads[RequestHead] | HeadReader[RequestHead], raw: bytes) -> object:
    try:
        found = heads.read(raw)
    except Malformed as error:
        return error.reason
    assert found is not None
    head, length, end = found
    return length, end, head.keep_alive, head.expects_continue, head.forward


def test_heads_of_answers_are_remembered_too() -> None:
    heads = response_heads(head_bytes=1000, header_count=100)
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
    first, second = heads.read(raw % 5), heads.read(raw % 60)
    assert first is not None
    assert second is not None
    assert isinstance(first[0], ResponseHead)
    assert first[0] is second[0]
    assert (first[1], second[1]) == (5, 60)
