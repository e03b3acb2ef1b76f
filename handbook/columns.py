"""Markdown of CommonMark for Python-Markdown: what belongs to a list item stands four in. Pure.

CommonMark takes the text's column in the item's first line as its margin: two for a bullet, three for a number.
Python-Markdown wants four. Comments on a line of their own go, for they would take the table after them along.
"""

import re
from typing import Final

_ITEM: Final = re.compile(r"( *)([-*+]|\d{1,9}[.)])( +)\S")
_COMMENT: Final = re.compile(r" *<!--.*?--> *")
_WANTED: Final = 4


def in_fours(markdown: str) -> str:
    """The text with what belongs to list items moved in. Items in items move by both."""
    margins: list[tuple[int, int]] = []
    """Of each item around the line: its text's column, and how far that moved."""
    moved = []
    fence = False
    for line in markdown.split("\n"):
        if not fence and _COMMENT.fullmatch(line):
            moved.append("")
            continue
        indent = len(line) - len(line.lstrip(" "))
        if line.strip() and not fence:
            while margins and indent < margins[-1][0]:
                margins.pop()
        before = margins[-1][1] if margins else 0
        moved.append(" " * before + line if line.strip() else line)
        if line.lstrip().startswith("```"):
            fence = not fence
        elif not fence and (item := _ITEM.match(line)):
            column = len(item[1]) + len(item[2]) + len(item[3])
            depth = len(margins) + 1
            margins.append((column, _WANTED * depth - column))
    return "\n".join(moved)
