"""Waiting for gates to open, and pods that come one after the other."""

import asyncio
from typing import Final

from e2e.run.observer import Observer
from tests.integration.operator.running import Running, opt_in, pod

FIRST_SECONDS: Final = 120.0
"""For the first pod of an operator: it waits for the first heartbeat of an agent."""
_EACH_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.02


async def gates(seen: Observer, count: int, limit: float) -> None:
    """Until so many gates have been seen to open. Raises TimeoutError."""
    async with asyncio.timeout(limit):
        while len(seen.gate_times.milliseconds) < count:  # noqa: ASYNC110 - what the observer has seen
            await asyncio.sleep(_LOOK_SECONDS)


async def one_by_one(cluster: Running, seen: Observer, count: int, first: float = FIRST_SECONDS) -> list[float]:
    """Milliseconds that each was held; the very first pod is left out."""
    seen.gate_times.milliseconds.clear()
    for number in range(count + 1):
        await cluster.create(cluster.pods_path, pod(f"single-{number}", opt_in()))
        await gates(seen, number + 1, first if number == 0 else _EACH_SECONDS)
    return seen.gate_times.milliseconds[1:]
