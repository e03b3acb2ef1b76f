"""The table of alerts in the runbooks' first page.

``python -m dashboards.rules.index_page --into docs/runbooks/README.md`` writes it between its marks; a test compares.
"""

from collections.abc import Sequence

from api.openapi.marked_page import with_tables, write_page
from controller.gpu.tables import markdown_table
from dashboards.rules.alerts import alerts, recordings
from dashboards.rules.pace import REAL


def alert_table() -> str:
    """A line an alert: its page, how urgent it is, how long it has to hold, and what it says."""
    header = ("alert", "severity", "after", "says")
    return markdown_table(
        header,
        (
            (f"[{one.name}]({one.name}.md)", one.severity, REAL.text(one.seconds) if one.seconds else "", one.summary)
            for one in alerts()
        ),
    )


def recording_table() -> str:
    """A line a recorded series: its name, and what it is."""
    shown = ((one.name, one.expression.replace("|", r"\|")) for one in recordings())
    return markdown_table(("series", "is"), ((f"`{name}`", f"`{expression}`") for name, expression in shown))


def filled(page: str) -> str:
    """The page with both tables as they are now. Raises ValueError for a mark that is not there."""
    return with_tables(page, {"alerts": alert_table(), "recordings": recording_table()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the tables into the page named by ``--into``."""
    write_page(filled, __doc__, arguments)


if __name__ == "__main__":
    main()
