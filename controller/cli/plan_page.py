"""The diagram and tables in docs/repartitioning.md, written from the transition table.

``python -m controller.cli.plan_page --into docs/repartitioning.md`` writes them between their marks; a test compares.
"""

from collections.abc import Sequence

from api.openapi.marked_page import write_page
from controller.repartition.diagram import filled


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes them into the page named by ``--into``."""
    write_page(filled, __doc__, arguments)


if __name__ == "__main__":
    main()
