"""SIGTERM and SIGINT: the first asks for a stop in order, the second ends the process at once."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

NUMBERS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Within the context the first SIGTERM or SIGINT sets `stop`; the second does what it does to any program: end it.

    From the main thread, inside the running event loop. Python's own handlers are used, not the loop's: they work also
    while the loop is blocked, which is when somebody sends a second signal.
    """
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in NUMBERS}

    def first(number: int, _frame: object) -> None:
        for each in NUMBERS:
            signal.signal(each, signal.SIG_DFL)
        loop.call_soon_threadsafe(_stop, stop, number)

    for number in NUMBERS:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _stop(stop: asyncio.Event, number: int) -> None:
    structlog.get_logger(__name__).info("stopping; a second signal ends at once", signal=signal.Signals(number).name)
    stop.set()
