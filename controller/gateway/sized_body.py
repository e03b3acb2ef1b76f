"""Bodies of requests that say their length and come in more than one piece. Pure."""


class SizedBody:
    """Puts a body of `length` bytes together; the same calls as `chunks.ChunkedBody`."""

    __slots__ = ("_left", "_parts")

    def __init__(self, length: int) -> None:
        self._left = length
        self._parts: list[bytes] = []

    @property
    def ended(self) -> bool:
        """Whether all of it has come."""
        return not self._left

    def feed(self, piece: bytes, start: int = 0) -> int:
        """Reads a piece from `start` on; returns where the body ends in it, or the piece's length when it goes on."""
        end = min(start + self._left, len(piece))
        self._parts.append(piece[start:end])
        self._left -= end - start
        return end

    def whole(self) -> bytes:
        """The body, once it has ended."""
        if self._left:
            raise ValueError("the body has not ended")
        return b"".join(self._parts)
