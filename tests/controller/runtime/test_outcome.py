"""What kind of failure an exception is."""

import asyncio
from collections.abc import Callable

import pytest

from controller.runtime.client.errors import NotFound
from controller.runtime.election.fence import LeaseLost
from controller.runtime.outcome import ends_process, is_bug, is_terminal
from controller.runtime.reconcile import TerminalError

ROWS = [
    pytest.param(AttributeError("x"), "bug", id="an attribute that is not there"),
    pytest.param(KeyError("x"), "bug", id="a key that is not there"),
    pytest.param(ZeroDivisionError(), "bug", id="arithmetic"),
    pytest.param(AssertionError(), "bug", id="an assertion"),
    pytest.param(RecursionError(), "bug", id="endless recursion"),
    pytest.param(ExceptionGroup("g", [ValueError(), ExceptionGroup("h", [TypeError()])]), "bug", id="one deep inside"),
    pytest.param(NotFound(404, "NotFound", "x"), "", id="an answer of the API server"),
    pytest.param(TimeoutError(), "", id="a timeout"),
    pytest.param(OSError(), "", id="a broken connection"),
    pytest.param(ValueError("x"), "", id="a value that does not fit"),
    pytest.param(TerminalError("x"), "terminal", id="one that says so"),
    pytest.param(ExceptionGroup("g", [TerminalError("x"), TerminalError("y")]), "terminal", id="a group of such"),
    pytest.param(ExceptionGroup("g", [TerminalError("x"), OSError()]), "", id="one among others is tried again"),
    pytest.param(BaseExceptionGroup("g", [asyncio.CancelledError()]), "", id="a cancellation in a group"),
    pytest.param(BaseExceptionGroup("g", [OSError(), SystemExit(1)]), "exit", id="an exit in a group"),
    pytest.param(LeaseLost("ns/l", "me", "", "x"), "exit", id="a lost lease"),
    pytest.param(
        BaseExceptionGroup("g", [asyncio.CancelledError(), LeaseLost("ns/l", "me", "", "x")]),
        "exit",
        id="a lost lease in a group",
    ),
]


@pytest.mark.parametrize(("error", "want"), ROWS)
def test_kinds_of_failures(error: BaseException, want: str) -> None:
    checks: dict[str, Callable[[BaseException], bool]] = {
        "bug": is_bug,
        "terminal": is_terminal,
        "exit": lambda found: ends_process(found, asyncio.CancelledError),
    }
    assert [kind for kind, check in checks.items() if check(error)] == ([want] if want else [])
