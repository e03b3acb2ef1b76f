"""Heads that were read before are not read again: from the bytes of a head to what `framing` made of them. Pure.

A client on a kept connection sends the same head with every request, but for the digits of Content-Length; so do
engines. The key here is every byte of the head with those digits cut out. A hit therefore means a head that differs in
nothing but a number, and the number is read each time: nothing is checked less than the first time.
"""

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from controller.gateway.framing import RequestHead, ResponseHead, parse_request_head, parse_response_head
from controller.gateway.malformed import Malformed

Head = TypeVar("Head", bound=RequestHead | ResponseHead)

_END = b"\r\n\r\n"
_MOST_DIGITS = 15
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ?([0-9]{1,%d})\r\n" % _MOST_DIGITS)
_BEFORE_ENGTH = len(b"\r\nContent-L")
_LINE_FEED_ALONE = re.compile(rb"(?<!\r)\n")
_BEGINS_HEAD = re.compile(rb"[A-Z\r]")

REMEMBERED_BYTES = 1 << 20
"""Of heads in one generation; there are two. Some 3,000 heads of clients as they usually are."""
LONGEST_REMEMBERED = 4096
"""Longer heads are read each time, so that a few of them do not push out the others."""


class Heads(Generic[Head]):
    """Reads heads from what a peer has sent, and remembers them.

    A generation is filled, then becomes the old one; what is used again moves to the young one, and the rest is
    forgotten with the next change. So the memory is bounded, and heads that differ each time cannot grow it.

    A head with its digits cut out could equal another one that came with none ("Content-Length:" and nothing): these
    are kept apart. A head with two lengths is refused, so it is never remembered, whichever of them would be cut out.
    `head_bytes`: how long a head may be.
    """

    def __init__(self, parse: Callable[[bytes], Head], *, head_bytes: int) -> None:
        self._parse = parse
        self.head_bytes = head_bytes
        self._room = REMEMBERED_BYTES
        self._young: dict[bytes, Head] = {}
        self._old: dict[bytes, Head] = {}

    def read(self, data: bytes, start: int = 0) -> tuple[Head, int, int] | None:
        """The head that begins at `start`, the length of its body as `framing` says it, and where the body begins.

        None when more of it has to come. Raises Malformed.
        """
        end = data.find(_END, start, start + self.head_bytes)
        if end < 0:
            self._refuse_what_cannot_end(data, start)
            return None
        end += 4
        raw = data if start == 0 and end == len(data) else data[start:end]
        match = _length_in(raw)
        if match is None:
            key = b"\n" + raw
            head = self._find(key)
            if head is None:
                head = self._parse(raw)
                self._keep(key, head)
            return head, head.length, end
        first, last = match.span(1)
        key = raw[:first] + raw[last:]
        head = self._young.get(key) or self._find(key)
        length = int(raw[first:last])
        if head is None:
            head = self._parse(raw)
            if head.length != length or length == 0:  # 204 and 304 have no body, whatever length they say
                return head, head.length, end
            self._keep(key, head)
        return head, length, end

    def _find(self, key: bytes) -> Head | None:
        """A head of either generation; one of the old moves to the young."""
        head = self._young.get(key)
        if head is None:
            head = self._old.pop(key, None)
            if head is not None:
                self._keep(key, head)
        return head

    def _keep(self, key: bytes, head: Head) -> None:
        if len(key) > LONGEST_REMEMBERED:
            return
        self._room -= len(key)
        if self._room < 0:
            self._old, self._young = self._young, {}
            self._room = REMEMBERED_BYTES - len(key)
        self._young[key] = head

    def _refuse_what_cannot_end(self, data: bytes, start: int) -> None:
        """Refuses what cannot become a head any more, rather than wait for the rest of it."""
        if len(data) - start >= self.head_bytes:
            raise Malformed("HeadTooLarge", f"the head is longer than {self.head_bytes} bytes: send less", status=431)
        if len(data) > start and _BEGINS_HEAD.match(data, start) is None:
            raise Malformed("BadRequestLine", "what came does not begin as HTTP/1.1 does")
        if _LINE_FEED_ALONE.search(data, start):
            raise Malformed("BareLineFeed", "a line ends with a line feed alone: end it with a carriage return before")


def _length_in(raw: bytes) -> re.Match[bytes] | None:
    """The line with the length: at the first "ength: " as a rule, which is found ten times as fast as a line is."""
    at = raw.find(b"ength: ")
    return (at > 0 and _LENGTH.match(raw, at - _BEFORE_ENGTH)) or _LENGTH.search(raw)


class HeadReader(Generic[Head]):
    """Reads the heads that one peer sends: the one that came last is known again without a look into `Heads`.

    What must be equal is the same: every byte before the digits of the length and every byte after them.
    """

    __slots__ = ("_after", "_before", "_digits", "_head", "_heads")

    def __init__(self, heads: Heads[Head]) -> None:
        self._heads = heads
        self._head: Head | None = None
        self._before = self._after = b""
        self._digits = 0

    def read(self, data: bytes, start: int = 0) -> tuple[Head, int, int] | None:
        """As `Heads.read`."""
        head = self._head
        if head is not None and data.startswith(self._before, start):
            first = start + self._digits
            last = data.find(b"\r", first, first + _MOST_DIGITS + 1)
            if last > 0 and data.startswith(self._after, last):
                digits = data[first:last]
                if digits.isdigit():
                    return head, int(digits), last + len(self._after)
        found = self._heads.read(data, start)
        if found is not None:
            self._remember(found, data[start : found[2]])
        return found

    def _remember(self, found: tuple[Head, int, int], raw: bytes) -> None:
        """Keep a head whose length is that of its body: of answers without one (204, 304) it is not."""
        match = _length_in(raw)
        if match is None or not found[1] or int(match[1]) != found[1]:
            return
        if len(raw) > min(LONGEST_REMEMBERED, self._heads.head_bytes - _MOST_DIGITS):
            return  # with more digits it could be longer than heads may be
        self._head = found[0]
        self._digits = match.start(1)
        self._before, self._after = raw[: match.start(1)], raw[match.end(1) :]


def request_heads(*, head_bytes: int, header_count: int) -> Heads[RequestHead]:
    """Of clients."""
    return Heads(lambda raw: parse_request_head(raw, header_count=header_count), head_bytes=head_bytes)


def response_heads(*, head_bytes: int, header_count: int) -> Heads[ResponseHead]:
    """Of engines."""
    return Heads(lambda raw: parse_response_head(raw, header_count=header_count), head_bytes=head_bytes)
