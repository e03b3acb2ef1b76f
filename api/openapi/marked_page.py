"""Generated parts of a Markdown page, between marks that stay where a person put them."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_END = "<!-- end of table -->"


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """The page with each of these tables between ``<!-- table of NAME -->`` and the end that follows it.

    Raises:
        ValueError: a table's marks are missing.
    """
    for name, table in tables.items():
        begin = f"<!-- table of {name} -->\n"
        before, mark, rest = page.partition(begin)
        _, closing, after = rest.partition(_END)
        if not mark or not closing:
            raise ValueError(f"no place for the table of {name}: put both back, {begin!r} and, below it, {_END!r}")
        page = f"{before}{begin}\n{table}\n{_END}{after}"
    return page


def write_page(filled: Callable[[str], str], description: str | None, arguments: Sequence[str] | None) -> None:
    """Write the page named by ``--into`` again, as `filled` makes it from what it is."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--into", type=Path, required=True, help="the Markdown page with the marks")
    path: Path = parser.parse_args(arguments).into
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
