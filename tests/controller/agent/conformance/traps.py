"""What is known to go wrong with AMD's library and package: the lines of a table in docs/hardware.md.

Every one has its row in `test_traps`, and every row its line: neither can be forgotten.
"""

from collections.abc import Callable
from pathlib import Path

_PAGE = Path(__file__).parents[4] / "docs" / "hardware.md"
_BEGIN, _END = "<!-- traps -->\n", "<!-- end of traps -->"
_HEADER_LINES = 2


def known_traps() -> tuple[str, ...]:
    """The first column of the page's table, in its order."""
    _, begun, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    table, ended, _ = rest.partition(_END)
    assert begun, f"{_PAGE} lacks {_BEGIN.strip()}"
    assert ended, f"{_PAGE} lacks {_END}"
    lines = table.splitlines()[_HEADER_LINES:]
    return tuple(line.split("|")[1].strip() for line in lines)


_ROWS: dict[str, Callable[..., object]] = {}


def trap(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Marks a test as the row of these traps."""

    def note(test: Callable[..., object]) -> Callable[..., object]:
        _ROWS.update(dict.fromkeys(names, test))
        return test

    return note


def rows() -> frozenset[str]:
    """The traps that have a row, once their tests are imported."""
    return frozenset(_ROWS)
