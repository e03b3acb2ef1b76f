"""The body of an answer on its way through: where it ends, and the tokens that the engine says it took. Pure.

Pieces are passed on as they come. Nothing of them is kept but the last ones, in which the usage stands.
"""

import re
from collections.abc import Callable

from controller.gateway.chunks import ChunkBorders
from controller.gateway.framing import CHUNKED, UNTIL_CLOSE

_USAGE_BYTES = 4096
"""Of an answer's end, searched for the usage: it stands in the last object, a few hundred bytes long."""

_PROMPT = re.compile(rb'"prompt_tokens"\s*:\s*([0-9]{1,9})')
_OUTPUT = re.compile(rb'"completion_tokens"\s*:\s*([0-9]{1,9})')
_BOTH = re.compile(rb'"usage"\s*:\s*\{\s*"prompt_tokens"\s*:\s*([0-9]{1,9})[^}]*"completion_tokens"\s*:\s*([0-9]{1,9})')
"""As most engines write it, prompt first: one search instead of two."""
_USAGE = re.compile(
    rb'"usage": ?\{"prompt_tokens": ?([0-9]{1,9}), ?'
    rb'(?:"total_tokens": ?[0-9]{1,9}, ?)?"completion_tokens": ?([0-9]{1,9})[,}]'
)
"""Both at once, as engines write them; what is written otherwise is searched for."""
_EVENT_BORDER = b"\n\n\r\n"


class AnswerBody:
    """Follows one answer's body through its pieces. `length` is in bytes, `CHUNKED` or `UNTIL_CLOSE`.

    `ended` is true after the last byte; of a body that ends with its connection, the caller sets it.
    """

    __slots__ = ("_before", "_chunks", "_last", "_left", "ended")

    def __init__(self, length: int) -> None:
        self._chunks = ChunkBorders() if length == CHUNKED else None
        self._left = length
        self.ended = length == 0
        self._last = self._before = b""

    def feed(self, piece: bytes) -> int:
        """Reads one piece; returns how many of its bytes are the body's. Raises Malformed, and has not read it then."""
        if self._chunks is not None:
            taken = self._chunks.feed(piece)
            self.ended = self._chunks.ended
            self._before, self._last = self._last, piece
            return taken
        self._before, self._last = self._last, piece
        if self._left == UNTIL_CLOSE:
            return len(piece)
        taken = min(self._left, len(piece))
        self._left -= taken
        self.ended = self._left == 0
        return taken

    @property
    def end(self) -> bytes:
        """The last bytes that have come, as many as `usage_in` looks through at least."""
        if len(self._last) < _USAGE_BYTES and self._before:
            return self._before[-_USAGE_BYTES:] + self._last
        return self._last

    @property
    def between_events(self) -> bool:
        """Whether an event of ours may follow: the body comes in chunks, and both chunk and event have ended."""
        return self._chunks is not None and self._chunks.at_border and self._last.endswith(_EVENT_BORDER)


class Unchunker:
    """Takes the chunks off an answer for a client that knows none, one of HTTP/1.0."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._borders = ChunkBorders()
        self._write = write

    def write(self, piece: bytes) -> None:
        """Writes what a piece holds, which `AnswerBody` has checked."""
        parts: list[bytes] = []
        self._borders.feed(piece, 0, parts.append)
        if parts:
            self._write(b"".join(parts))


def usage_in(end: bytes) -> tuple[int | None, int | None]:
    """Tokens of prompt and output in an answer's last bytes.

    In the text that a model wrote, a quotation mark comes with a backslash before it, so `"usage":` is only ever found
    where the engine itself wrote it.
    """
    at = end.rfind(b'"usage"', -_USAGE_BYTES)
    if at < 0:
        return None, None
    both = _BOTH.match(end, at)
    if both is not None:
        return int(both[1]), int(both[2])
    usual = _USAGE.match(end, at)
    if usual is not None:
        return int(usual[1]), int(usual[2])
    prompt, output = _PROMPT.search(end, at), _OUTPUT.search(end, at)
    return int(prompt[1]) if prompt else None, int(output[1]) if output else None


def whole_chunk(data: bytes) -> bytes:
    """`data` as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
