"""One scrape after another: what each takes, and how long one holds up whoever else has work on the event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

#: Scrapes that fill caches and are not counted.
_WARM: Final = 2


@dataclass(frozen=True, slots=True)
class Scrapes:
    """Milliseconds of each: by the clock, and of the processor, all threads. `longest_hold`: of the event loop."""

    wall: Sequence[float]
    cpu: Sequence[float]
    longest_hold: float
    series: int
    bytes: int


async def scrapes(read: Callable[[], Awaitable[bytes]], times: int) -> Scrapes:
    """Scrape `times`."""
    for _ in range(_WARM):
        await read()
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(times):
        spent, began = time.process_time(), time.perf_counter()
        text = await read()
        wall.append((time.perf_counter() - began) * 1e3)
        cpu.append((time.process_time() - spent) * 1e3)
    return Scrapes(wall, cpu, await longest_hold(read), series_of(text), len(text))


def series_of(text: bytes) -> int:
    """How many series a page has."""
    return sum(1 for line in text.splitlines() if line and not line.startswith(b"#"))


async def longest_hold(read: Callable[[], Awaitable[bytes]]) -> float:
    """The most of the processor, in ms, that this thread takes between two turns of somebody else's.

    Of the processor and not by the clock, as others on the machine take turns too.
    """
    longest, over = 0.0, asyncio.Event()

    async def others() -> None:
        nonlocal longest
        before = time.thread_time()
        while not over.is_set():
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, before = max(longest, now - before), now

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(others())
        await asyncio.sleep(0)
        await read()
        over.set()
    return longest * 1e3
