"""Watch bytes to lines. Pure: chunks in, complete lines out; a line may be of any length."""


class LineFramer:
    """Collects chunks and gives out complete lines (without their end, empty ones skipped).

    Not a stream reader's readline: that gives up at its buffer's size, and one object may be megabytes.
    """

    def __init__(self) -> None:
        self._partial: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, in order."""
        head, separator, rest = chunk.partition(b"\n")
        self._partial.append(head)
        if not separator:
            return []
        lines = [b"".join(self._partial), *rest.split(b"\n")]
        self._partial = [lines.pop()]
        return [line for line in lines if line.strip()]

    @property
    def pending_bytes(self) -> int:
        """Bytes of the line that is not complete yet."""
        return sum(map(len, self._partial))
