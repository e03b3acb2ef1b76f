"""What clients and engines say in scripts: mostly what they should, in all the ways that the gateway treats apart."""

HEAD = b"POST %b HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n"
CHAT, MODELS = b"/v1/chat/completions", b"/v1/models"
PLAIN = b'{"model":"llama","messages":[]}'
STREAM = b'{"model":"llama","stream":true,"max_tokens":9}'
OTHER = b'{"model":"team-a/gemma","priority":7,"stream":true,"stream_options":{"x":1}}'
NOWHERE = b'{"model":"secret"}'
BAD = b'{"model":7}'


def _request(body: bytes, path: bytes = CHAT, key: bytes = b"sk-test", more: bytes = b"") -> bytes:
    return HEAD % (path, key) + more + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def _chunked(body: bytes) -> bytes:
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return HEAD % (CHAT, b"sk-test") + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


REQUESTS = (
    _request(PLAIN),
    _request(STREAM),
    _request(OTHER),
    _request(PLAIN, more=b"expect: 100-continue\r\n"),
    _request(STREAM, more=b"connection: close\r\n"),
    _request(STREAM, more=b"x-request-id: mine\r\n"),
    _request(STREAM, more=b"x-request-timeout: 1.5\r\n"),
    _request(PLAIN, more=b"x-request-timeout: soon\r\n"),
    _request(PLAIN).replace(b"HTTP/1.1", b"HTTP/1.0"),
    _request(STREAM).replace(b"HTTP/1.1", b"HTTP/1.0"),
    _chunked(PLAIN),
    _chunked(STREAM),
    _request(PLAIN) + _request(STREAM) + _request(PLAIN),
    b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer sk-test\r\n\r\n",
    b"HEAD /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n",
    _request(NOWHERE),
    _request(BAD),
    _request(PLAIN, key=b"sk-other"),
    _request(PLAIN, key=b"sk-slow"),
    _request(PLAIN, path=b"/v1/nothing"),
    _request(b'{"model":"llama","x":"%b"}' % (b"y" * 90_000)),
    HEAD % (CHAT, b"sk-test") + b"content-length: 99999999\r\n\r\n",
    HEAD % (CHAT, b"sk-test") + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + _request(PLAIN),
    HEAD % (CHAT, b"sk-test") + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}{}{}",
    HEAD % (CHAT, b"sk-test") + b"x: y\r\n z\r\n\r\n",
)

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b'%x\r\ndata: {"n":1}\n\n\r\n' % len(b'data: {"n":1}\n\n')
LAST = b"0\r\n\r\n"
LONG = b"%x\r\n%b\r\n" % (80_000, b"z" * 80_000)
FLOOD = STREAM_HEAD + LONG * 4
"""Comes in pieces, each as long as a read is at most."""
USAGE = b'{"usage":{"prompt_tokens":5,"completion_tokens":3}}'


def _answer(body: bytes = USAGE, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, more, len(body), body)


ANSWERS = (
    *[_answer(), STREAM_HEAD + EVENT + EVENT + LAST] * 4,
    *[STREAM_HEAD, STREAM_HEAD + EVENT, EVENT, LAST] * 2,
    STREAM_HEAD + EVENT + EVENT[:9],
    *[STREAM_HEAD + LONG, LONG, FLOOD],
    STREAM_HEAD + b"3\r\nabcde0\r\n\r\n",
    _answer(b"z" * 100_000),
    _answer(more=b"connection: close\r\n"),
    _answer(b"{}", b"400 Bad Request"),
    _answer(b"{}", b"429 Too Many Requests", b"retry-after: 2\r\n"),
    _answer(b"{}", b"503 Service Unavailable"),
    _answer() + _answer(),
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n{}",
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"<html>",
)
