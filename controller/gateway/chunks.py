"""Bodies that come in chunks: where they end, checked byte by byte, whatever pieces they come in. Pure.

An answer's chunks are passed on as they are, so only their borders are looked for (`ChunkBorders`); a request's body is
put together (`ChunkedBody`), for an engine gets it with its length. Both read one grammar: a size in at most eight hex
digits, CRLF, so many bytes, CRLF; at the end a size of zero and an empty line. Extensions of a size and trailers are
refused of clients, who have no use for them here and with whom they hide smuggled requests; engines' are refused too.
"""

import re
from collections.abc import Callable

from controller.gateway.malformed import Malformed

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_SIZE_BEGUN = re.compile(rb"(?:[0-9A-Fa-f]{1,8}\r?)?")


class ChunkBorders:
    """Follows a body in chunks through the pieces that it comes in.

    `data_bytes` counts what the chunks hold. After the end, `ended` is true and nothing more may be fed.
    """

    __slots__ = ("_held", "_left", "data_bytes", "ended")

    def __init__(self) -> None:
        self._left = 0  # bytes of the open chunk with its CRLF that are still to come
        self._held = b""  # the beginning of a line that was cut between two pieces
        self.data_bytes = 0
        self.ended = False

    @property
    def at_border(self) -> bool:
        """Whether what has come ends with the end of a chunk, so that another chunk may follow."""
        return not (self._left or self._held or self.ended)

    def feed(self, piece: bytes, start: int = 0, found: Callable[[bytes], object] | None = None) -> int:
        """Reads a piece from `start` on; returns where the body ends in it, or the piece's length when it goes on.

        `found` is called with the data of each chunk, or with parts of it. Raises Malformed; then it is where it was
        before this piece.
        """
        if self.ended:
            raise ValueError("the body has ended: what follows belongs to the next message")
        held, left = self._held, self._left
        try:
            if held:
                self._held = b""
                return self._read(held + piece[start:], 0, found) - len(held) + start
            return self._read(piece, start, found)
        except Malformed:
            self._held, self._left = held, left
            raise

    def _read(self, piece: bytes, at: int, found: Callable[[bytes], object] | None) -> int:
        size = len(piece)
        while at < size:
            if self._left:
                at = self._inside(piece, at, found)
                continue
            match = _SIZE.match(piece, at)
            if match is None:
                return self._hold(piece, at)
            length = int(match[1], 16)
            if length == 0:
                return self._end(piece, at, match.end())
            self.data_bytes += length
            self._left = length + 2
            at = match.end()
        return size

    def _inside(self, piece: bytes, at: int, found: Callable[[bytes], object] | None) -> int:
        """Passes over what has come of the open chunk, and checks the CRLF after it."""
        size, left = len(piece), self._left
        end = at + left
        if found is not None and left > 2:
            found(piece[at : min(end - 2, size)])
        if end <= size:
            if (left >= 2 and piece[end - 2 : end] != b"\r\n") or (left == 1 and piece[at] != 10):
                raise Malformed("BadChunk", "a chunk is longer than its size says")
            self._left = 0
            return end
        if end - 1 == size and piece[-1] != 13:
            raise Malformed("BadChunk", "a chunk is longer than its size says")
        self._left = end - size
        return size

    def _hold(self, piece: bytes, at: int) -> int:
        """Keeps the beginning of a size whose rest has to come; refuses what cannot become one."""
        if _SIZE_BEGUN.fullmatch(piece, at) is None:
            raise Malformed("BadChunk", "a chunk's size is not up to eight hex digits and the end of the line")
        self._held = piece[at:]
        return len(piece)

    def _end(self, piece: bytes, at: int, after: int) -> int:
        """After a size of zero: the empty line, of which a part may still have to come."""
        line = piece[after : after + 2]
        if line == b"\r\n":
            self.ended = True
            return after + 2
        if line in (b"", b"\r"):
            self._held = piece[at:]
            return len(piece)
        raise Malformed("BadChunk", "a body in chunks ends with trailers: send them as headers, or not at all")


class ChunkedBody:
    """Puts a request's body together from its chunks, up to a limit of bytes."""

    __slots__ = ("_body", "_borders", "_limit")

    def __init__(self, limit: int) -> None:
        self._borders = ChunkBorders()
        self._limit = limit
        self._body = bytearray()  # and no list: chunks of one byte would cost forty times their size

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return self._borders.ended

    def feed(self, piece: bytes, start: int = 0) -> int:
        """Reads a piece, as `ChunkBorders.feed` does. Raises Malformed, with 413 for a body beyond the limit."""
        end = self._borders.feed(piece, start, self._body.extend)
        if self._borders.data_bytes > self._limit:
            raise too_large(self._limit)
        return end

    def whole(self) -> bytes:
        """The body, once it has ended."""
        if not self._borders.ended:
            raise ValueError("the body has not ended")
        return bytes(self._body)


def too_large(limit: int) -> Malformed:
    """The refusal of a body that is longer than the limit, in bytes."""
    return Malformed("BodyTooLarge", f"the body is longer than {limit} bytes: send less", status=413)
