"""The tables in docs/hardware.md, written from what the code holds.

``python -m controller.cli.hardware_page --into docs/hardware.md`` writes them between their marks; a test compares.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from controller.agent.simulated_faults import LASTING, MEANINGS, STRIKES, Fault
from controller.gpu.tables import markdown_table, product_table, slice_table, source_table

_END = "<!-- end of table -->"


def fault_table() -> str:
    """A line a fault of simulated hardware: what happens, and at which calls."""
    header = ("fault", "what happens", "at")
    return markdown_table(header, ((fault, MEANINGS[fault], _calls(fault)) for fault in Fault))


TABLES: Mapping[str, Callable[[], str]] = {
    "products": product_table,
    "slices": slice_table,
    "sources": source_table,
    "faults": fault_table,
}


def with_tables(page: str) -> str:
    """The page with every table as it is now. Raises ValueError for a mark that is not there."""
    for name, table in TABLES.items():
        begin = f"<!-- table of {name} -->\n"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(_END)
        if not found or not ended:
            raise ValueError(f"the page lacks {begin.strip()} or the {_END} that follows it: put both back")
        page = f"{before}{begin}{table()}\n{_END}{after}"
    return page


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the tables into the page named by ``--into``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the Markdown page with the marks")
    path: Path = parser.parse_args(arguments).into
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


def _calls(fault: Fault) -> str:
    return ", ".join(STRIKES[fault]) if fault in STRIKES else f"lasts; begins with {LASTING[fault]} unless told"


if __name__ == "__main__":
    main()
