"""The same on the loop that the process runs on: its transports pause, end and reset in ways of their own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.controller.gateway import (
    test_bad_engines,
    test_disconnects,
    test_hijack,
    test_reload_under_load,
    test_slow_clients,
    test_smuggling,
)

Work = Callable[..., Coroutine[Any, Any, None]]
MODULES = (
    test_bad_engines,
    test_disconnects,
    test_hijack,
    test_reload_under_load,
    test_slow_clients,
    test_smuggling,
)


def alone() -> list[Work]:
    """Tests of these modules that take nothing."""
    found = [value for module in MODULES for name, value in vars(module).items() if name.startswith("test_")]
    return [one for one in found if asyncio.iscoroutinefunction(one) and not one.__code__.co_argcount]


CASES: list[tuple[str, Work, tuple[Any, ...]]] = [
    *((one.__name__, one, ()) for one in alone()),
    *(
        (f"before its answer: {row[0]}", test_bad_engines.test_before_its_answer_an_engine, row[1:])
        for row in test_bad_engines.BEFORE
    ),
    *(
        (f"in its answer: {row[0]}", test_bad_engines.test_in_its_answer_an_engine, row[1:])
        for row in test_bad_engines.DURING
    ),
    *(
        (f"beyond: {row[0]}", test_bad_engines.test_what_an_engine_sends_beyond_its_answer_is_nobodys, row[1:])
        for row in test_bad_engines.BEYOND
    ),
    *((f"smuggled: {row[0]}", test_smuggling.test_refused, (*row[1:], 7)) for row in test_smuggling.CORPUS),
    *((f"slow: {row[0]}", test_slow_clients.test_a_client_that_stops, row[1:]) for row in test_slow_clients.SLOW),
    *(
        (f"{goes.__name__}: {stage.__name__}", test_disconnects.test_a_client_that_goes, (stage, want, goes))
        for stage, want in test_disconnects.STAGES
        for goes in (test_disconnects.ends, test_disconnects.resets)
    ),
]


@pytest.mark.parametrize(("work", "arguments"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_on_uvloop(work: Work, arguments: tuple[Any, ...]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(*arguments))


def test_there_is_much_to_run() -> None:
    assert len(CASES) > 100
