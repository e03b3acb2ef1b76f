"""What we accept, llhttp (in httptools) and h11 read as the same message: nobody behind us can see another request."""

import h11
import httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.gateway.framing import CHUNKED, RequestHead, parse_request_head
from controller.gateway.malformed import Malformed

PIECES = [
    b"POST /v1/chat/completions HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\n",
    b"GET http://a/b HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 05\r\n",
    b"content-length:6\r\n",
    b"Content-Length: \t7 \r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: CHUNKED \r\n",
    b"Transfer-Encoding:\tidentity\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, TE\r\n",
    b"X: \xe4\r\n",
    b"X-Empty:\r\n",
    b" folded\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
]
SPECKS = [b"\r", b"\n", b"\0", b" ", b"\t", b":", b"\x0b", b"\x7f", b"\xff", b",", b"0", b"A", b"_"]


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """A head of pieces in any order, with up to three bytes put in, taken out or changed."""
    head = bytearray(draw(st.sampled_from(PIECES[:3])) + b"Host: a\r\n")
    head += b"".join(draw(st.lists(st.sampled_from(PIECES), max_size=5))) + b"\r\n"
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(head)))
        head[at : at + draw(st.integers(0, 1))] = draw(st.sampled_from([*SPECKS, b""]))
    whole = bytes(head)
    end = whole.find(b"\r\n\r\n", 2)
    return whole[: end + 4] if end >= 0 else whole + b"\r\n\r\n"


def ours(raw: bytes) -> RequestHead | None:
    """The head, if it is served at all."""
    try:
        head = parse_request_head(raw)
    except Malformed:
        return None
    return head if head.method in ("GET", "POST") and head.length <= 1000 else None


class Seen:
    """What llhttp tells of a message."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.heads = self.wholes = 0
        self.kept: list[bool] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.heads += 1
        self.kept.append(self.parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.wholes += 1


def body_for(head: RequestHead) -> tuple[bytes, bytes]:
    """A body of the length that we read, on the wire and as it is meant."""
    if head.length == CHUNKED:
        return b"3\r\nabc\r\n0\r\n\r\n", b"abc"
    return b"x" * head.length, b"x" * head.length


@given(heads())
@example(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
@example(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
@settings(max_examples=1500, deadline=None)
def test_llhttp_reads_what_we_accept_as_one_message_of_the_same_length(raw: bytes) -> None:
    head = ours(raw)
    if head is None:
        return
    wire, meant = body_for(head)
    seen = Seen()
    seen.parser.feed_data(raw + wire)
    assert (seen.heads, seen.wholes, seen.body) == (1, 1, meant)
    assert seen.parser.get_method().decode() == head.method
    assert head.target == b"/" or seen.url.endswith(head.target)
    assert seen.kept == [True] or not head.keep_alive  # told both to close and to keep, we close


@given(heads())
@example(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
@settings(max_examples=1500, deadline=None)
def test_h11_reads_what_we_accept_as_one_message_of_the_same_length(raw: bytes) -> None:
    head = ours(raw)
    if head is None:
        return
    wire, meant = body_for(head)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw.removeprefix(b"\r\n") + wire)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    assert request.method.decode() == head.method
    assert head.target == b"/" or request.target.endswith(head.target)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert (body, connection.trailing_data[0]) == (meant, b"")


@given(heads())
@settings(max_examples=500, deadline=None)
def test_what_goes_on_has_nothing_of_one_connections_own(raw: bytes) -> None:
    head = ours(raw)
    if head is None:
        return
    lines = head.forward.split(b"\r\n")
    assert lines.pop() == b""
    names = [line.partition(b": ")[0] for line in lines]
    assert not {b"connection", b"host", b"content-length", b"transfer-encoding", b"te", b"expect"} & set(names)
    again = parse_request_head(b"GET / HTTP/1.1\r\nhost: b\r\n" + head.forward + b"\r\n")
    assert again.forward == head.forward


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_no_bytes_do_anything_but_be_refused_or_read(raw: bytes) -> None:
    ours(raw)
    ours(raw + b"\r\n\r\n")
    ours(b"GET / HTTP/1.1\r\n" + raw + b"\r\n\r\n")
