"""A script: bytes that are read as choices. Whatever the bytes, they say something, and when they end it ends."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Ended(Exception):
    """The script has no more bytes."""


class Script:
    """Reads one byte a choice."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """A number from 0. Raises Ended."""
        if self._at >= len(self._data):
            raise Ended
        found = self._data[self._at]
        self._at += 1
        return found % below

    def one_of(self, choices: Sequence[T]) -> T:
        """One of these."""
        return choices[self.number(len(choices))]

    def chance(self, of: int) -> bool:
        """True once in so many."""
        return self.number(of) == 0

    def damaged(self, data: bytes) -> bytes:
        """The data, of which one time in eight some bytes are changed, cut out or put in."""
        if not self.chance(8):
            return data
        hurt = bytearray(data)
        for _ in range(1 + self.number(3)):
            at = (self.number(256) * 256 + self.number(256)) % (len(hurt) + 1)
            hurt[at : at + self.number(3)] = self.one_of(SPECKS)
        return bytes(hurt)


SPECKS = (
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b":",
    b";",
    b",",
    b"0",
    b"9",
    b"f",
    b"A",
    b"\x80",
    b'"',
    b"{",
    b"}",
    b"-",
)
