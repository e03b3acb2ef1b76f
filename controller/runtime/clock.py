"""Time as a dependency: everything above takes a Clock, so tests own the time.

The lowest module of the runtime: queue, reflector, controller and manager are given a Clock and never read the
time themselves. Timeouts of a single wait are the event loop's (`asyncio.timeout`), which virtual loops move too.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a component reads the time and waits; two readings of different clocks must never be compared."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back. For durations and deadlines."""
        ...

    def now(self) -> datetime:
        """The wall clock in UTC, aware. For timestamps that people and other processes read."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` (zero or less: give way once). Cancellation ends the wait at once."""
        ...


class RealClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """Seconds of the system's monotonic clock."""
        return time.monotonic()

    def now(self) -> datetime:
        """The system's wall clock in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        await asyncio.sleep(max(seconds, 0.0))
