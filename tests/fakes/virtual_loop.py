"""An event loop whose time jumps to the next timer: whatever needs no sockets runs as fast as it computes."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

# Far from the machine's monotonic clock and from zero, so that mixing clocks shows at once.
_START = 10_000.0
# A thread's result comes through the loop's wake-up pipe; only when nothing else is left to do it is waited for.
_THREAD_SECONDS = 5.0

T = TypeVar("T")


class NothingToDo(RuntimeError):
    """Everybody waits for somebody: no timer is set, and nothing can come from outside."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Sockets are not waited for, and threads only when nothing else is left to do."""

    def __init__(self) -> None:
        self._now = _START
        super().__init__(_Jumps(self))

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class _Jumps(selectors.DefaultSelector):
    """Instead of waiting for `timeout`, has the loop's time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now. Raises NothingToDo when there is no timer and no thread that ends soon."""
        if timeout is None:
            ready = super().select(_THREAD_SECONDS)
            if not ready:
                raise NothingToDo("every task waits and no timer is set")
            return ready
        self._loop.jump(max(timeout, 0.0))
        return []


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
