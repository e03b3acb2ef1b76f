"""A table for people, drawn as `rich` draws one, without its third of a second: for commands that start at once."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

Row = Sequence[str]

TIED: Final = "\u00a0"
"""A space at which a cell does not go on in a further line; it is written as any other."""

_PLAIN = str.maketrans("┏┳┓┃┡╇┩│└┴┘━─", "+++|+++|+++--")
#: What stands around each cell, and the fewest characters that a column keeps.
_AROUND: Final = 3
_NARROWEST: Final = 4
#: Names of so many characters go on at no slash or dash while longer ones can.
_SHORT: Final = 10


def box_table(header: Row, rows: Sequence[Row], width: int | None = None) -> str:
    """The lines of a table with a heavy head, each column as wide as its widest cell.

    Where that is wider than `width` the widest columns give way, and their cells go on in further lines: of headings
    alone while that will do, then broken between words, then names after a slash, then after a dash, and anywhere last.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    if width is not None:
        columns = [*zip(header, *rows, strict=True)]
        _narrow(widths, [max([_longest(head), *map(len, cells)]) for head, *cells in columns], width)
        for marks in ("", "/", "/-"):
            _narrow(widths, [max(_longest(cell, marks) for cell in column) for column in columns], width)
        _narrow(widths, [_NARROWEST] * len(widths), width)

    def line(left: str, between: str, right: str, fill: str) -> str:
        return left + between.join(fill * (width + 2) for width in widths) + right

    def cells(row: Row, edge: str) -> str:
        return edge + edge.join(f" {cell:<{width}} " for cell, width in zip(row, widths, strict=True)) + edge

    def folded(row: Row, edge: str) -> Iterator[str]:
        parts = [_lines(cell, size) for cell, size in zip(row, widths, strict=True)]
        yield from (cells(each, edge) for each in zip_longest(*parts, fillvalue=""))

    body = (each for row in rows for each in folded(row, "│"))
    head = [line("┏", "┳", "┓", "━"), *folded(header, "┃"), line("┡", "╇", "┩", "━")]
    return "\n".join([*head, *body, line("└", "┴", "┘", "─")]).replace(TIED, " ")


def _longest(cell: str, marks: str = "") -> int:
    """The longest of a cell's words, those that are not short in pieces that end at such marks."""
    words = _pieces(cell, " ")
    return max((len(each) for word in words for each in _pieces(word, marks if len(word) > _SHORT else "")), default=0)


def _pieces(text: str, marks: str) -> list[str]:
    """The text in pieces, each with the mark that ends it; spaces are left out."""
    for mark in marks:
        text = text.replace(mark, f"{mark.strip()}\n")
    return [piece for piece in text.split("\n") if piece]


def _lines(cell: str, size: int) -> list[str]:
    """The cell in lines of at most that size."""
    lines = [""]
    for word in _pieces(cell, " "):
        gap = " " if lines[-1] else ""
        for piece in _fitting(word, size):
            if len(lines[-1]) + len(gap) + len(piece) <= size:
                lines[-1] += gap + piece
            elif lines[-1]:
                lines.append(piece)
            else:
                lines[-1] = piece
            gap = ""
    return lines


def _fitting(word: str, size: int) -> Iterable[str]:
    """The word in pieces of at most that size: whole, by slashes, by dashes, or anywhere."""
    for mark in "/-":
        pieces = _pieces(word, mark)
        if len(word) > size and len(pieces) > 1:
            return [part for piece in pieces for part in _fitting(piece, size)]
    return [word[start : start + size] for start in range(0, len(word), size)]


def _narrow(widths: list[int], least: Sequence[int], width: int) -> None:
    """Take what is too much from the widest of the columns that are wider than their `least`."""
    room = width - 1 - _AROUND * len(widths)
    while sum(widths) > room:
        wider = [place for place, (size, fewest) in enumerate(zip(widths, least, strict=True)) if size > fewest]
        if not wider:
            return
        widths[max(wider, key=lambda place: widths[place])] -= 1


def print_box_table(header: Row, rows: Sequence[Row]) -> None:
    """Write a table to stdout."""
    write_box(box_table(header, rows))


def write_box(text: str) -> None:
    """Write the lines of a table to stdout, in plain characters where stdout has no others."""
    if not (sys.stdout.encoding or "utf-8").lower().startswith("utf"):
        text = text.translate(_PLAIN)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()  # before what is said beside it, where both go to one file
