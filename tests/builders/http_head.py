"""Heads of HTTP/1.1 messages, as bytes."""


def request_head(*lines: str, start: str = "POST /v1/chat/completions HTTP/1.1", host: str | None = "gateway") -> bytes:
    """A request's head: its first line, Host unless it is None, and these lines."""
    hosts = [] if host is None else [f"Host: {host}"]
    return "\r\n".join([start, *hosts, *lines, "", ""]).encode("latin-1")


def answer_head(*lines: str, start: str = "HTTP/1.1 200 OK") -> bytes:
    """An answer's head: its first line and these."""
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1")
