"""The diagram and tables in docs/repartitioning.md, written from the transition table.

``python -m controller.cli.plan_page --into docs/repartitioning.md`` writes them between their marks; a test compares.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from controller.repartition.diagram import filled


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes them into the page named by ``--into``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the Markdown page with the marks")
    path: Path = parser.parse_args(arguments).into
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
