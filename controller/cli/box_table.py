"""A table for people, drawn as `rich` draws one, without its third of a second: for commands that start at once."""

import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Final

Row = Sequence[str]

_PLAIN = str.maketrans("┏┳┓┃┡╇┩│└┴┘━─", "+++|+++|+++--")
#: What stands around each cell, and the fewest characters that a column keeps.
_AROUND: Final = 3
_NARROWEST: Final = 4


def box_table(header: Row, rows: Sequence[Row], width: int | None = None) -> str:
    """The lines of a table with a heavy head, each column as wide as its widest cell.

    Where that is wider than `width` the widest columns give way, and their cells go on in further lines: of headings
    alone while that will do, and then broken between words.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    if width is not None:
        columns = [*zip(header, *rows, strict=True)]
        _narrow(widths, [max([_longest_word(head), *map(len, cells)]) for head, *cells in columns], width)
        _narrow(widths, [max(map(_longest_word, column)) for column in columns], width)
        _narrow(widths, [_NARROWEST] * len(widths), width)

    def line(left: str, between: str, right: str, fill: str) -> str:
        return left + between.join(fill * (width + 2) for width in widths) + right

    def cells(row: Row, edge: str) -> str:
        return edge + edge.join(f" {cell:<{width}} " for cell, width in zip(row, widths, strict=True)) + edge

    def folded(row: Row, edge: str) -> Iterator[str]:
        parts = [wrap(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
        yield from (cells(each, edge) for each in zip_longest(*parts, fillvalue=""))

    body = (each for row in rows for each in folded(row, "│"))
    head = [line("┏", "┳", "┓", "━"), *folded(header, "┃"), line("┡", "╇", "┩", "━")]
    return "\n".join([*head, *body, line("└", "┴", "┘", "─")])


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


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
