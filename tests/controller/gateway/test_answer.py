import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gateway.answer import LAST_CHUNK, AnswerBody, Unchunker, usage_in, whole_chunk
from controller.gateway.framing import CHUNKED, UNTIL_CLOSE
from controller.gateway.malformed import Malformed


@pytest.mark.parametrize(
    ("end", "want"),
    [
        pytest.param(b'{"usage":{"prompt_tokens":7,"completion_tokens":3}}', (7, 3), id="as engines write it"),
        pytest.param(b'{"usage": {"prompt_tokens": 7, "completion_tokens": 3}}', (7, 3), id="with spaces"),
        pytest.param(b'{"usage":{"prompt_tokens":7,"total_tokens":7}}', (7, None), id="an embedding has no output"),
        pytest.param(b'{"usage":null}', (None, None), id="a stream that was asked for none"),
        pytest.param(b"", (None, None), id="an empty body"),
        pytest.param(
            b'{"text":"\\"usage\\":{\\"prompt_tokens\\":1}","usage":{"prompt_tokens":7,"completion_tokens":3}}',
            (7, 3),
            id="a model that writes of usage itself",
        ),
        pytest.param(b'{"text":"\\"usage\\":{\\"prompt_tokens\\":1}"}', (None, None), id="and nothing but that"),
        pytest.param(
            b'{"usage":{"prompt_tokens":1}}' + b" " * 5000, (None, None), id="only the last bytes are looked through"
        ),
    ],
)
def test_usage_is_read_where_the_engine_wrote_it(end: bytes, want: tuple[int | None, int | None]) -> None:
    assert usage_in(end) == want


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=8),
    st.lists(st.integers(1, 40), max_size=60),
    st.binary(max_size=9),
)
def test_a_body_in_chunks_ends_where_it_ends_in_whatever_pieces_it_comes(
    parts: list[bytes], cuts: list[int], behind: bytes
) -> None:
    whole = b"".join(map(whole_chunk, parts)) + LAST_CHUNK
    sent, body, taken, at = whole + behind, AnswerBody(CHUNKED), 0, 0
    for size in [*cuts, len(sent)]:
        piece = sent[at : at + size]
        at += len(piece)
        if not piece or body.ended:
            break
        taken += body.feed(piece)
    assert body.ended
    assert taken == len(whole)


def test_a_body_with_a_length_takes_no_byte_more() -> None:
    body = AnswerBody(5)
    assert (body.feed(b"abc"), body.ended) == (3, False)
    assert (body.feed(b"defgh"), body.ended) == (2, True)


def test_a_body_until_the_end_of_the_connection_takes_all_and_never_ends_by_itself() -> None:
    body = AnswerBody(UNTIL_CLOSE)
    assert (body.feed(b"abc"), body.ended) == (3, False)


def test_chunks_that_are_none_are_refused() -> None:
    with pytest.raises(Malformed):
        AnswerBody(CHUNKED).feed(b"xyz\r\n")


def test_usage_that_was_cut_between_two_pieces_is_found() -> None:
    body = AnswerBody(UNTIL_CLOSE)
    body.feed(b'{"usage":{"prompt_tok')
    body.feed(b'ens":7,"completion_tokens":3}}')
    assert usage_in(body.end) == (7, 3)


@pytest.mark.parametrize(
    ("pieces", "want"),
    [
        pytest.param([whole_chunk(b"data: 1\n\n")], True, id="after an event in a chunk"),
        pytest.param([whole_chunk(b"data: 1\n\n")[:-1]], False, id="before the chunk's last byte"),
        pytest.param([whole_chunk(b"data: 1")], False, id="in the midst of an event"),
        pytest.param([b"40\r\ndata: 1\n\n\r\n"], False, id="in the midst of a chunk that looks like a border"),
    ],
)
def test_an_event_of_ours_fits_only_between_two_of_the_engine(pieces: list[bytes], want: bool) -> None:
    body = AnswerBody(CHUNKED)
    for piece in pieces:
        body.feed(piece)
    assert body.between_events is want


def test_between_events_is_never_in_a_body_that_has_a_length() -> None:
    body = AnswerBody(100)
    body.feed(b"data: 1\n\n\r\n")
    assert not body.between_events


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6), st.integers(1, 20))
def test_chunks_are_taken_off_for_clients_that_know_none(parts: list[bytes], size: int) -> None:
    sent = b"".join(map(whole_chunk, parts)) + LAST_CHUNK
    got: list[bytes] = []
    unchunker = Unchunker(got.append)
    for at in range(0, len(sent), size):
        unchunker.write(sent[at : at + size])
    assert b"".join(got) == b"".join(parts)
