"""What a person sees: the introduction at once, progress on stderr, and a table that changes in place.

A table is for a terminal: with `--once` and no terminal stdout stays free for the line of JSON, and what would be a
table before it goes to stderr.
"""

import json
import sys
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from controller.cli.offline_plan_view import page, summary
from e2e.run.expectation import Expectation
from e2e.run.report import Report

_PLAIN_WIDTH = 160
_REFRESH_A_SECOND = 4


class Screen:
    """The person's end of a run; a context manager, so that the terminal is left as it was."""

    def __init__(self, *, once: bool) -> None:
        terminal = sys.stdout.isatty()
        width = None if terminal else _PLAIN_WIDTH
        self._console = Console(file=sys.stderr if once and not terminal else sys.stdout, width=width)
        self._live = Live(console=self._console, refresh_per_second=_REFRESH_A_SECOND) if terminal else None
        self._said = ""
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def introduce(self, told: str, expectation: Expectation) -> None:
        """Say what is real and what is not, as `told`, and what the offline plan expects."""
        self._console.print(told)
        self._console.print("\nWhat `aim-gpu plan -f examples/` expects:")
        self._console.print(Text(page(expectation.plan, self._console.width)))
        self._console.print(f"{summary(expectation.plan)}\n")

    def say(self, text: str) -> None:
        """A line of progress, once: the same line again is not repeated."""
        if text == self._said:
            return
        self._said = text
        if self._live is not None and self._live.is_started:
            return  # the table tells it
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def show(self, view: RenderableType, *, final: bool) -> None:
        """Show the table: in place on a terminal, elsewhere once, when it is final."""
        if self._live is not None:
            if not self._live.is_started:
                self._live.start()
            self._live.update(view)
        elif final and not self._shown:
            self._shown = True
            self._console.print(view)

    def result(self, report: Report) -> None:
        """The last line of stdout: one JSON object."""
        if self._live is not None:
            self._live.stop()
        sys.stdout.write(f"{json.dumps(report.document())}\n")
        sys.stdout.flush()


def introduction(expectation: Expectation) -> str:
    """What is simulated and what is real, and where KServe stands."""
    nodes = ", ".join(map(str, expectation.nodes))
    return (
        f"Nodes and GPUs are simulated: {nodes}.\n"
        "No GPU is used and no container runs: that a pod is Ready is KWOK's word, and simulated engines answer for\n"
        "it, at computed speeds. API server, scheduler, garbage collection and device allocation are Kubernetes' own;\n"
        "operator, agents and gateway are the real programs.\n"
        f"{about_kserve(expectation)}"
    )


def about_kserve(expectation: Expectation) -> str:
    """Whether KServe is there, and what is missing without it."""
    if expectation.kserve:
        return "KServe is its own controller, built once (some minutes); KSERVE=0 leaves it out."
    left_out = f"; without it these are left out: {', '.join(expectation.left_out)}" if expectation.left_out else ""
    return f"KServe is left out, as KSERVE=0 asks: InferenceServices are run by Deployments{left_out}."
