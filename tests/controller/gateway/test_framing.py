import pytest

from controller.gateway.framing import CHUNKED, UNTIL_CLOSE, parse_request_head, parse_response_head
from controller.gateway.malformed import Malformed
from tests.builders.http_head import answer_head, request_head

REFUSED = [
    ("two lengths that differ", ["Content-Length: 4", "Content-Length: 5"], "AmbiguousLength"),
    ("two lengths that agree", ["Content-Length: 4", "content-length: 4"], "AmbiguousLength"),
    ("a list of lengths", ["Content-Length: 4, 4"], "BadLength"),
    ("a length with a sign", ["Content-Length: +4"], "BadLength"),
    ("a length below zero", ["Content-Length: -1"], "BadLength"),
    ("a length in hex", ["Content-Length: 0x4"], "BadLength"),
    ("a length with an underscore", ["Content-Length: 1_0"], "BadLength"),
    ("a length in digits of another script", ["Content-Length: \u00b2"], "BadLength"),
    ("a length of nothing", ["Content-Length:"], "BadLength"),
    ("a length that no machine could hold", ["Content-Length: 9999999999999999"], "BadLength"),
    ("a length beside a coding", ["Content-Length: 4", "Transfer-Encoding: chunked"], "AmbiguousLength"),
    ("a coding beside a length", ["Transfer-Encoding: chunked", "Content-Length: 4"], "AmbiguousLength"),
    ("a coding twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "AmbiguousLength"),
    ("a coding that is not there", ["Transfer-Encoding: identity"], "UnknownTransferCoding"),
    ("a coding before the chunks", ["Transfer-Encoding: gzip, chunked"], "UnknownTransferCoding"),
    ("a coding with a tab before it in the name", ["Transfer-Encoding\t: chunked"], "BadHeader"),
    ("a coding that is obscured", ["Transfer-Encoding: xchunked"], "UnknownTransferCoding"),
    ("a coding with a vertical tab", ["Transfer-Encoding: \x0bchunked"], "BadHeader"),
    ("a length under another name", ["Content_Length: 4"], "AmbiguousLength"),
    ("a coding under another name", ["Transfer_Encoding: chunked"], "AmbiguousLength"),
    ("space before the colon", ["Content-Length : 4"], "BadHeader"),
    ("a folded line", ["X-One: 1", " Content-Length: 4"], "FoldedHeader"),
    ("a line folded with a tab", ["X-One: 1", "\tTransfer-Encoding: chunked"], "FoldedHeader"),
    ("a line without a colon", ["nothing"], "BadHeader"),
    ("a line without a name", [": nothing"], "BadHeader"),
    ("a name with a space in it", ["X One: 1"], "BadHeader"),
    ("a name with a letter beyond ASCII", ["X-\xd6: 1"], "BadHeader"),
    ("a null in a value", ["X-One: 1\x002"], "BadHeader"),
    ("a null in a name", ["X-\x00One: 1"], "BadHeader"),
    ("a line feed alone in a value", ["X-One: 1\nContent-Length: 4"], "BadHeader"),
    ("a carriage return alone in a value", ["X-One: 1\rContent-Length: 4"], "BadHeader"),
    ("a delete character", ["X-One: \x7f"], "BadHeader"),
    ("a second host", ["Host: other"], "BadHost"),
    ("an expectation that nobody knows", ["Expect: 200-ok"], "UnknownExpectation"),
    ("two keys", ["Authorization: Bearer a", "Authorization: Bearer b"], "RepeatedHeader"),
    ("two expectations", ["Expect: 100-continue", "Expect: 100-continue"], "RepeatedHeader"),
    ("more header lines than are allowed", [f"X-{number}: 1" for number in range(100)], "TooManyHeaders"),
]


@pytest.mark.parametrize(("lines", "want_reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses(lines: list[str], want_reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_request_head(request_head(*lines))
    assert caught.value.reason == want_reason


STARTS = [
    ("no version", "GET /v1/models", "BadRequestLine", 400),
    ("version 2", "GET /v1/models HTTP/2.0", "UnknownVersion", 505),
    ("the preface of version 2", "PRI * HTTP/2.0", "UnknownVersion", 505),
    ("version 1.2", "GET /v1/models HTTP/1.2", "BadRequestLine", 400),
    ("version in small letters", "GET /v1/models http/1.1", "BadRequestLine", 400),
    ("two spaces", "GET  /v1/models HTTP/1.1", "BadRequestLine", 400),
    ("a tab", "GET\t/v1/models HTTP/1.1", "BadRequestLine", 400),
    ("space at the end", "GET /v1/models HTTP/1.1 ", "BadRequestLine", 400),
    ("space in the path", "GET /v1 /models HTTP/1.1", "BadRequestLine", 400),
    ("a null in the path", "GET /v1/\x00 HTTP/1.1", "BadRequestLine", 400),
    ("a letter beyond ASCII in the path", "GET /v1/\xd6 HTTP/1.1", "BadRequestLine", 400),
    ("a method in small letters", "get /v1/models HTTP/1.1", "BadRequestLine", 400),
    ("a path that is none", "GET v1/models HTTP/1.1", "BadTarget", 400),
    ("a target of CONNECT", "CONNECT engine:8000 HTTP/1.1", "BadTarget", 400),
    ("a target of another scheme", "GET ftp://engine/ HTTP/1.1", "BadTarget", 400),
    ("a target with a user in it", "GET http://me@engine/ HTTP/1.1", "BadTarget", 400),
    ("a header line first", "Host: a", "BadRequestLine", 400),
]


@pytest.mark.parametrize(
    ("start", "want_reason", "want_status"), [row[1:] for row in STARTS], ids=[row[0] for row in STARTS]
)
def test_refuses_a_request_line_with(start: str, want_reason: str, want_status: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_request_head(request_head(start=start))
    assert (caught.value.reason, caught.value.status) == (want_reason, want_status)


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "[::1", "a:port", "a:123456", "\xd6", "a,b:1:2"])
def test_refuses_a_host_that_is_none(host: str) -> None:
    with pytest.raises(Malformed, match="Host is"):
        parse_request_head(request_head(host=host))


def test_a_request_of_version_1_1_names_its_host() -> None:
    with pytest.raises(Malformed, match="0 Host headers"):
        parse_request_head(request_head(host=None))
    assert parse_request_head(request_head(start="GET / HTTP/1.0", host=None)).host is None


def test_what_is_sent_can_do_no_harm_in_an_error() -> None:
    with pytest.raises(Malformed) as caught:
        parse_request_head(request_head("X-One: \x1b[31m\x00" + "x" * 500))
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 200


def test_chunks_are_not_of_version_1_0() -> None:
    with pytest.raises(Malformed, match=r"HTTP/1\.0"):
        parse_request_head(request_head("Transfer-Encoding: chunked", start="POST / HTTP/1.0"))


def test_reads_what_matters() -> None:
    head = parse_request_head(
        request_head(
            "content-length: 0012",
            "AUTHORIZATION: bearer  abc ",
            "X-Request-Id: one",
            "Expect: 100-Continue",
            start="POST /v1/completions?a=b HTTP/1.1",
            host="Team-A.Example:8443",
        )
    )
    assert (head.method, head.path, head.target) == ("POST", "/v1/completions", b"/v1/completions?a=b")
    assert (head.length, head.host, head.token, head.request_id) == (12, "team-a.example", b"abc", b"one")
    assert (head.keep_alive, head.expects_continue, head.encoded, head.http10) == (True, True, False, False)


KEPT = [
    ("a connection is kept in 1.1", "HTTP/1.1", [], True),
    ("unless it says close", "HTTP/1.1", ["Connection: Close"], False),
    ("among other words", "HTTP/1.1", ["Connection: x-one , close"], False),
    ("or in a second line", "HTTP/1.1", ["Connection: keep-alive", "Connection: close"], False),
    ("it is closed in 1.0", "HTTP/1.0", [], False),
    ("unless it says keep-alive", "HTTP/1.0", ["Connection: Keep-Alive"], True),
]


@pytest.mark.parametrize(("version", "lines", "want"), [row[1:] for row in KEPT], ids=[row[0] for row in KEPT])
def test_whether(version: str, lines: list[str], want: bool) -> None:
    assert parse_request_head(request_head(*lines, start=f"GET / {version}")).keep_alive is want


def test_what_holds_for_one_connection_goes_no_further() -> None:
    head = parse_request_head(
        request_head(
            "Accept:  application/json ",
            "Connection: X-Mine, keep-alive",
            "X-Mine: 1",
            "Keep-Alive: timeout=5",
            "TE: trailers",
            "Trailer: X",
            "Upgrade: h2c",
            "Proxy-Authorization: Basic x",
            "Proxy-Connection: keep-alive",
            "Transfer-Encoding: chunked",
            "Authorization: Bearer secret",
            "Accept-Encoding: gzip",
            "Traceparent: 00-1-2-01",
        )
    )
    assert head.forward == b"accept: application/json\r\ntraceparent: 00-1-2-01\r\n"
    assert head.length == CHUNKED


def test_what_replicas_say_to_each_other_is_kept_apart() -> None:
    head = parse_request_head(request_head("X-AIM-Forwarded-By: a", "Accept: b"))
    assert head.forward == b"accept: b\r\n"
    assert head.internal == ((b"x-aim-forwarded-by", b"a"),)


TOKENS = [
    ("a bearer token", ["Authorization: Bearer abc"], b"abc"),
    ("a key in a header of its own", ["X-Api-Key: abc"], b"abc"),
    ("a key as Azure's clients send it", ["api-key: abc"], b"abc"),
    ("nothing for a password", ["Authorization: Basic abc"], None),
    ("nothing for a scheme alone", ["Authorization: Bearer"], None),
    ("nothing for none", [], None),
    ("the token, of a token and a key", ["X-Api-Key: key", "Authorization: Bearer abc"], b"abc"),
]


@pytest.mark.parametrize(("lines", "want"), [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
def test_takes_as_the_callers_token(lines: list[str], want: bytes | None) -> None:
    assert parse_request_head(request_head(*lines)).token == want


@pytest.mark.parametrize("sent", ["a b", "\xd6", "x" * 129])
def test_an_id_that_could_harm_a_log_is_no_id(sent: str) -> None:
    head = parse_request_head(request_head(f"X-Request-Id: {sent}"))
    assert head.request_id is None
    assert b"request-id" not in head.forward


def test_a_target_in_absolute_form_stands_above_the_host() -> None:
    head = parse_request_head(request_head(start="GET http://team-b.example:80/v1/models?x HTTP/1.1", host="team-a"))
    assert (head.host, head.path, head.target) == ("team-b.example", "/v1/models", b"/v1/models?x")


@pytest.mark.parametrize(("host", "want"), [("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a:", "a"), ("", None)])
def test_a_port_is_no_part_of_a_host(host: str, want: str | None) -> None:
    assert parse_request_head(request_head(host=host)).host == want


ANSWERS = [
    ("a length", "200 OK", ["Content-Length: 5"], 5, True),
    ("chunks", "200 OK", ["Transfer-Encoding: Chunked"], CHUNKED, True),
    ("neither, and the connection ends it", "200 OK", [], UNTIL_CLOSE, False),
    ("no body whatever it says", "204 No Content", ["Content-Length: 5"], 0, True),
    ("no body before the answer", "100 Continue", [], 0, True),
    ("no phrase", "200", ["Content-Length: 5"], 5, True),
    ("an empty phrase", "200 ", ["Content-Length: 5"], 5, True),
    ("a connection that ends", "200 OK", ["Content-Length: 5", "Connection: close"], 5, False),
]


@pytest.mark.parametrize(
    ("start", "lines", "want_length", "want_kept"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_reads_an_answer_with(start: str, lines: list[str], want_length: int, want_kept: bool) -> None:
    head = parse_response_head(answer_head(*lines, start=f"HTTP/1.1 {start}"))
    assert (head.length, head.keep_alive) == (want_length, want_kept)


REFUSED_ANSWERS = [
    ("two lengths", "HTTP/1.1 200 OK", ["Content-Length: 5", "Content-Length: 6"]),
    ("a length beside chunks", "HTTP/1.1 200 OK", ["Content-Length: 5", "Transfer-Encoding: chunked"]),
    ("a coding", "HTTP/1.1 200 OK", ["Transfer-Encoding: gzip"]),
    ("a status of two digits", "HTTP/1.1 20 OK", []),
    ("a status beyond all", "HTTP/1.1 600 OK", []),
    ("another version", "HTTP/2 200", []),
    ("a page", "<html>", []),
    ("a folded line", "HTTP/1.1 200 OK", ["X-One: 1", " 2"]),
    ("a null", "HTTP/1.1 200 OK", ["X-One: \x00"]),
]


@pytest.mark.parametrize(
    ("start", "lines"), [row[1:] for row in REFUSED_ANSWERS], ids=[row[0] for row in REFUSED_ANSWERS]
)
def test_refuses_an_answer_with(start: str, lines: list[str]) -> None:
    with pytest.raises(Malformed):
        parse_response_head(answer_head(*lines, start=start))


def test_an_answers_head_goes_on_without_what_holds_for_one_connection() -> None:
    head = parse_response_head(
        answer_head("Date: x", "Connection: x-mine", "X-Mine: 1", "Content-Type: Text/Event-Stream; charset=utf-8")
    )
    assert head.line + head.forward == (
        b"HTTP/1.1 200 OK\r\ndate: x\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\n"
    )
    assert head.streamed


@pytest.mark.parametrize(("value", "want"), [("7", 7), ("Fri, 27 Nov 2026 10:00:00 GMT", None), ("", None)])
def test_an_engines_wish_to_be_asked_later(value: str, want: int | None) -> None:
    assert parse_response_head(answer_head(f"Retry-After: {value}")).retry_after == want
