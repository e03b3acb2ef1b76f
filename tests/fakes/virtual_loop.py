"""An event loop whose time jumps to the next timer: whatever needs no sockets runs as fast as it computes."""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

# Far from the machine's monotonic clock and from zero, so that mixing clocks shows at once.
_START = 10_000.0

T = TypeVar("T")


class NothingToDo(RuntimeError):
    """Everybody waits for somebody: no timer is set, and nothing can come from outside."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Threads and sockets are not waited for: code that needs them does not run on this loop."""

    def __init__(self) -> None:
        self._now = _START
        super().__init__(_Jumps(self))

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class _Jumps(selectors.BaseSelector):
    """Instead of waiting for `timeout`, has the loop's time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Only the loop's own wake-up pipe comes here."""
        key = selectors.SelectorKey(fileobj, fileobj, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget it."""
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing ever becomes ready. Raises NothingToDo without a timer."""
        if timeout is None:
            raise NothingToDo("every task waits and no timer is set")
        if timeout > 0:
            self._loop.jump(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """What is registered."""
        return self._keys


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
