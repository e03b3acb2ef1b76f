"""A table for people, drawn as `rich` draws one, without its third of a second: for commands that start at once."""

import sys
from collections.abc import Sequence

Row = Sequence[str]

_PLAIN = str.maketrans("┏┳┓┃┡╇┩│└┴┘━─", "+++|+++|+++--")


def box_table(header: Row, rows: Sequence[Row]) -> str:
    """The lines of a table with a heavy head, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(left: str, between: str, right: str, fill: str) -> str:
        return left + between.join(fill * (width + 2) for width in widths) + right

    def cells(row: Row, edge: str) -> str:
        return edge + edge.join(f" {cell:<{width}} " for cell, width in zip(row, widths, strict=True)) + edge

    head = [line("┏", "┳", "┓", "━"), cells(header, "┃"), line("┡", "╇", "┩", "━")]
    return "\n".join([*head, *(cells(row, "│") for row in rows), line("└", "┴", "┘", "─")])


def print_box_table(header: Row, rows: Sequence[Row]) -> None:
    """Write a table to stdout, in plain characters where stdout has no others."""
    text = box_table(header, rows)
    if not (sys.stdout.encoding or "utf-8").lower().startswith("utf"):
        text = text.translate(_PLAIN)
    sys.stdout.write(text + "\n")
