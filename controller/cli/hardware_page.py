"""The tables in docs/hardware.md, written from what the code holds.

``python -m controller.cli.hardware_page --into docs/hardware.md`` writes them between their marks; a test compares.
"""

from collections.abc import Callable, Mapping, Sequence

from api.openapi.marked_page import with_tables, write_page
from controller.agent.simulated_faults import LASTING, MEANINGS, STRIKES, Fault
from controller.gpu.tables import markdown_table, product_table, slice_table, source_table


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


def filled(page: str) -> str:
    """The page with every table as it is now. Raises ValueError for a mark that is not there."""
    return with_tables(page, {name: table() for name, table in TABLES.items()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the tables into the page named by ``--into``."""
    write_page(filled, __doc__, arguments)


def _calls(fault: Fault) -> str:
    return ", ".join(STRIKES[fault]) if fault in STRIKES else f"lasts; begins with {LASTING[fault]} unless told"


if __name__ == "__main__":
    main()
