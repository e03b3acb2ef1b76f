"""Failures of a run in several parts, told at the end of each part: whoever sees only the end of the last one sees them all.

``make test`` runs pytest several times. Where only the end of its output is kept, a failure of an earlier part would
leave nothing but its exit code.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

MESSAGE = 200
"""Characters of a failure's message that are told; the whole is in its own part's output."""


MOST = 12
"""Messages that are told at the end of a part."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--failures", type=Path, metavar="FILE", help="append failures to FILE and tell all that it holds")


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption("--failures")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailuresSoFar(path), "failures-so-far")


class FailuresSoFar:
    """Notes each failure when it comes, so that a part that is killed has told the others of it."""

    def __init__(self, path: Path) -> None:
        """Failures are appended to ``path``, a line each."""
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            where = "" if report.when == "call" else f" ({report.when})"
            self._note(f"{report.nodeid}{where}: {_message(report)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note(f"{report.nodeid} (collect): {_message(report)}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._path.exists():
            return
        terminalreporter.section("failures of this part and of the parts before it", red=True)
        for line in told(self._path.read_text().splitlines()):
            terminalreporter.write_line(line)

    def _note(self, line: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(line + "\n")


def told(lines: Sequence[str]) -> list[str]:
    """A line for each message, with the first test of it and how many more have it; at most `MOST`, and what is left.

    One fixture that fails takes hundreds of tests along, and would push all else off the end that is kept.
    """
    tests_of: dict[str, list[str]] = {}
    for line in lines:
        test, _, message = line.partition(": ")
        tests_of.setdefault(message, []).append(test)
    found = [
        f"{tests[0]}{f' and {len(tests) - 1} more' if len(tests) > 1 else ''}: {message}"
        for message, tests in tests_of.items()
    ]
    left = len(found) - MOST
    return found if left <= 0 else [*found[:MOST], f"and {left} more kinds of failures: see above"]


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext.strip().rsplit("\n", 1)[-1]
    return " ".join(text.split())[:MESSAGE]
