"""The heads of HTTP/1.1 messages, read strictly: bytes in, what matters of them out, or `Malformed`. Pure.

A gateway that reads a message otherwise than the engine behind it lets one client's bytes become another's request.
So there is one way to say each thing here (RFC 9112), and whatever has two readings is refused: Content-Length beside
Transfer-Encoding, either of them twice, folded lines, a line feed alone, space before a colon, control characters.

What a head says is worked out once, with the bytes that are passed on. `heads` remembers it by the bytes it came from.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from controller.gateway.malformed import Malformed

CHUNKED = -1
"""A body's length when it comes in chunks."""
UNTIL_CLOSE = -2
"""The length of an answer that ends with its connection."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*+"
_REQUEST_LINE = re.compile(rb"(?:\r\n)?([A-Z]{1,16}+) ([\x21-\x7e]++) HTTP/1\.([01])\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: (" + _TEXT + rb"))?\r\n")
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":" + _TEXT + rb"\r\n)*+\r\n")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]++)(/[^#]*+)?")
_HOST = re.compile(rb"(?:[A-Za-z0-9\-._~%!$&'()*+,;=]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{0,5})?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_PORT = re.compile(rb":[0-9]*$")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding"
    b" upgrade".split()
)
_OURS = frozenset((b"authorization", b"x-api-key", b"api-key", b"host", b"content-length", b"expect", b"x-request-id"))
"""Of a request, and not passed on: who calls is decided here, a client's key is nothing to an engine, and the id is
set on the way, whether the client gave one or not."""
_NO_COMPRESSION = frozenset((b"accept-encoding",))
"""Not passed on, so that an answer's usage can be read without unpacking it."""
_DROPPED_FROM_REQUESTS = _HOP_BY_HOP | _OURS | _NO_COMPRESSION
_DROPPED_FROM_ANSWERS = _HOP_BY_HOP | frozenset((b"content-length",))
INTERNAL_PREFIX = b"x-aim-"
"""Headers that only the gateway's replicas say to each other. From a client or an engine they are dropped."""
_REASON = b"x-aim-reason"
_CONFUSED_WITH_FRAMING = frozenset((b"content_length", b"transfer_encoding"))


class _Fields:
    """Header lines in their order, and by name; `repeated` says that a name comes more than once.

    Names are in lower case, values without the spaces around them.
    """

    __slots__ = ("lines", "repeated", "values")

    def __init__(self, lines: list[tuple[bytes, bytes]]) -> None:
        self.lines = lines
        self.values = dict(lines)
        self.repeated = len(self.values) < len(lines)

    def one(self, name: bytes) -> bytes:
        """The value of a header that comes once; empty without one. Twice is refused, for which one is meant?"""
        value = self.values.get(name, b"")
        if self.repeated and len(self.all(name)) > 1:
            raise Malformed("RepeatedHeader", f"the header {name.decode()} comes more than once: send it once")
        return value

    def all(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        if not self.repeated:
            return [self.values[name]] if name in self.values else []
        return [value for one, value in self.lines if one == name]

    def forward(self, dropped: frozenset[bytes]) -> bytes:
        """The lines that go on, each with its end."""
        return b"".join(
            [
                b"%b: %b\r\n" % line
                for line in self.lines
                if line[0] not in dropped and not line[0].startswith(INTERNAL_PREFIX)
            ]
        )


@dataclass(slots=True)
class RequestHead:
    """A request's head, once read.

    `path` is without its query, `target` with it. `length` is the body's in bytes, or `CHUNKED`; of a head that
    `heads` remembers it is another one each time and stands beside it. `host` is in lower case without its port.
    `token` is the key or bearer token shown. `encoded` says that the body is compressed. `internal` has the headers by
    which replicas speak to each other, as they came. `forward` is the header lines that an engine gets, each with its
    end: without the request line, Host, framing, and all that holds for one connection. `memo` is for who reads heads
    again and again, to keep there what it worked out of one.
    """

    method: str
    path: str
    target: bytes
    length: int
    keep_alive: bool
    http10: bool
    expects_continue: bool
    host: str | None
    token: bytes | None
    request_id: bytes | None
    encoded: bool
    forward: bytes
    internal: tuple[tuple[bytes, bytes], ...]
    memo: object = None


@dataclass(slots=True)
class ResponseHead:
    """An answer's head, once read.

    `length` is the body's in bytes, `CHUNKED`, or `UNTIL_CLOSE`. `line` is the status line and `forward` the header
    lines that a client gets, each with its end, without framing and what holds for one connection. `streamed` is true
    of server-sent events. `retry_after` is the header's value when it is in whole seconds. `reason` is what a replica
    says of its refusal, b"" without; an engine that says such a thing is not to be believed.
    """

    status: int
    length: int
    keep_alive: bool
    streamed: bool
    retry_after: int | None
    reason: bytes
    line: bytes
    forward: bytes
    memo: object = None


def parse_request_head(raw: bytes, *, header_count: int = 100) -> RequestHead:
    """Reads a request's head, from its first byte to the empty line that ends it. Raises Malformed."""
    match = _REQUEST_LINE.match(raw)
    if match is None:
        _refuse_request_line(raw)
    target = match[2]
    fields = _fields(raw, match.end(), header_count)
    http10 = match[3] == b"0"
    host = _host(fields, http10=http10)
    if target[:1] != b"/" and match[1] != b"OPTIONS":
        host, target = _absolute(target)
    path = target.partition(b"?")[0].decode("latin-1")
    named = _connection(fields)
    return RequestHead(
        method=match[1].decode("ascii"),
        path=path,
        target=target,
        length=_request_length(fields, http10=http10),
        keep_alive=b"close" not in named and (not http10 or b"keep-alive" in named),
        http10=http10,
        expects_continue=_expects_continue(fields, http10=http10),
        host=_without_port(host),
        token=_token(fields),
        request_id=_request_id(fields),
        encoded=fields.one(b"content-encoding") not in (b"", b"identity"),
        forward=fields.forward(_DROPPED_FROM_REQUESTS | named if named else _DROPPED_FROM_REQUESTS),
        internal=tuple([line for line in fields.lines if line[0].startswith(INTERNAL_PREFIX)]),
    )


def parse_response_head(raw: bytes, *, header_count: int = 100) -> ResponseHead:
    """Reads an answer's head, from its first byte to the empty line that ends it. Raises Malformed."""
    match = _STATUS_LINE.match(raw)
    if match is None:
        raise Malformed("BadStatusLine", f"an answer began with {_shown(raw)}: it is none of HTTP/1.1")
    fields = _fields(raw, match.end(), header_count)
    status = int(match[2])
    named = _connection(fields)
    length = _response_length(fields, status)
    http10 = match[1] == b"0"
    retry_after = fields.one(b"retry-after")
    return ResponseHead(
        status=status,
        length=length,
        keep_alive=length != UNTIL_CLOSE and b"close" not in named and (not http10 or b"keep-alive" in named),
        streamed=fields.one(b"content-type").partition(b";")[0].strip().lower() == b"text/event-stream",
        retry_after=int(retry_after) if _LENGTH.fullmatch(retry_after) else None,
        reason=fields.values.get(_REASON, b""),
        line=b"HTTP/1.1 %d %b\r\n" % (status, match[3] or b""),
        forward=fields.forward(_DROPPED_FROM_ANSWERS | named if named else _DROPPED_FROM_ANSWERS),
    )


def _fields(raw: bytes, start: int, header_count: int) -> _Fields:
    """The header lines after the first; every byte of them is checked before one is read."""
    if _FIELDS.fullmatch(raw, start) is None:
        _refuse_fields(raw, start)
    lines = raw[start:-4].split(b"\r\n") if len(raw) - start > 4 else []
    if len(lines) > header_count:
        raise Malformed(
            "TooManyHeaders",
            f"the head has {len(lines)} header lines: send {header_count} at most",
            status=431,
        )
    found = []
    for line in lines:
        name, _, value = line.partition(b":")
        found.append((name.lower(), value.strip(b" ")))  # a tab stays: beside a length not all readers pass over it
    return _Fields(found)


def _request_length(fields: _Fields, *, http10: bool) -> int:
    """The length of a request's body, when there is one reading of it."""
    lengths, codings = fields.all(b"content-length"), fields.all(b"transfer-encoding")
    if not _CONFUSED_WITH_FRAMING.isdisjoint(fields.values):
        raise Malformed("AmbiguousLength", "a header is named as Content-Length is, with an underscore: leave it out")
    if not codings:
        return _length(lengths)
    if http10 or lengths or len(codings) > 1:
        raise Malformed(
            "AmbiguousLength",
            "Transfer-Encoding comes twice, with Content-Length or in HTTP/1.0: send one of them once, in HTTP/1.1",
        )
    if codings[0].lower() != b"chunked":
        raise Malformed(
            "UnknownTransferCoding", f"Transfer-Encoding is {_shown(codings[0])}: send chunked alone", status=501
        )
    return CHUNKED


def _response_length(fields: _Fields, status: int) -> int:
    """The length of an answer's body, when there is one reading of it."""
    lengths, codings = fields.all(b"content-length"), fields.all(b"transfer-encoding")
    if status < 200 or status in (204, 304):
        return 0
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Malformed("AmbiguousLength", "an answer has several lengths, or a coding that is not chunked alone")
        return CHUNKED
    return _length(lengths) if lengths else UNTIL_CLOSE


def _length(lengths: list[bytes]) -> int:
    if not lengths:
        return 0
    if len(lengths) > 1:
        raise Malformed("AmbiguousLength", "Content-Length comes more than once: send it once")
    if _LENGTH.fullmatch(lengths[0]) is None:
        raise Malformed("BadLength", f"Content-Length is {_shown(lengths[0])}: send the body's bytes as decimal digits")
    return int(lengths[0])


def _connection(fields: _Fields) -> frozenset[bytes]:
    """What Connection names: `close`, `keep-alive`, and headers that are not passed on."""
    if b"connection" not in fields.values:
        return frozenset()
    words = b",".join(fields.all(b"connection")).split(b",")
    return frozenset([word.strip(b" \t").lower() for word in words])


def _host(fields: _Fields, *, http10: bool) -> bytes:
    hosts = fields.all(b"host")
    if len(hosts) != 1 and not (http10 and not hosts):
        raise Malformed("BadHost", f"the head has {len(hosts)} Host headers: send one")
    host = hosts[0] if hosts else b""
    if host and _HOST.fullmatch(host) is None:
        raise Malformed("BadHost", f"Host is {_shown(host)}: send a name or an address, with a port or without")
    return host


def _absolute(target: bytes) -> tuple[bytes, bytes]:
    """Host and path of a target in absolute form, which stands above the Host header."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None or _HOST.fullmatch(match[1]) is None:
        raise Malformed("BadTarget", f"the target is {_shown(target)}: send a path such as /v1/chat/completions")
    return match[1], match[2] or b"/"


def _without_port(host: bytes) -> str | None:
    name = host if host.endswith(b"]") else _PORT.sub(b"", host)
    return name.decode("latin-1").lower() or None


def _expects_continue(fields: _Fields, *, http10: bool) -> bool:
    expected = fields.one(b"expect")
    if not expected:
        return False
    if expected.lower() != b"100-continue":
        raise Malformed(
            "UnknownExpectation", f"Expect is {_shown(expected)}: send 100-continue or leave it out", status=417
        )
    return not http10


def _token(fields: _Fields) -> bytes | None:
    """The key or token shown: `Authorization: Bearer`, or `x-api-key` or `api-key` as other clients send it."""
    scheme, _, token = fields.one(b"authorization").partition(b" ")
    if scheme:
        return token.strip(b" ") or None if scheme.lower() == b"bearer" else None
    return fields.one(b"x-api-key") or fields.one(b"api-key") or None


def _request_id(fields: _Fields) -> bytes | None:
    """The client's own id for the request, when it can stand in any log and header: up to 128 visible characters."""
    found = fields.all(b"x-request-id")
    return found[0] if len(found) == 1 and _REQUEST_ID.fullmatch(found[0]) else None


def _refuse_request_line(raw: bytes) -> NoReturn:
    line = raw.partition(b"\r\n")[0]
    if re.fullmatch(rb"\S+ \S+ HTTP/[2-9](\.[0-9])?", line):
        raise Malformed("UnknownVersion", f"the version of {_shown(line)} is not served: send HTTP/1.1", status=505)
    raise Malformed("BadRequestLine", f"the request began with {_shown(line)}: send a method, a path and HTTP/1.1")


def _refuse_fields(raw: bytes, start: int) -> NoReturn:
    """Names the first line that is none."""
    for line in raw[start:].split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            raise Malformed("FoldedHeader", f"the line {_shown(line)} is folded: send each header in one line")
        if re.fullmatch(_TOKEN + rb":" + _TEXT, line) is None:
            raise Malformed("BadHeader", f"{_shown(line)} is no header line: send a name, a colon and its value")
    raise Malformed("BadHeader", "the head does not end with an empty line")


def _shown(text: bytes) -> str:
    """At most 60 bytes of what was sent, as Python writes them, so that nothing in it can harm a log."""
    return repr(text[:60])[1:]
