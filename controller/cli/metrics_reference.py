"""The tables in docs/metrics.md, written from the tables of instruments.

``python -m controller.cli.metrics_reference --into docs/metrics.md`` writes them between their marks; a test compares.
"""

from collections.abc import Sequence

from api.openapi.marked_page import with_tables, write_page
from controller.telemetry.reference import tables


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes them into the page named by ``--into``."""
    write_page(lambda page: with_tables(page, tables()), __doc__, arguments)


if __name__ == "__main__":
    main()
