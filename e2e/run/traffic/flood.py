"""The scene: the neighbour alone; the flood alone, which takes what the neighbour is promised and does not use; then
both, the neighbour with as many requests under way as it is promised, and with more.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from e2e.run.traffic.caller import Caller
from e2e.run.traffic.judgement import Roles, Scene
from e2e.run.traffic.latencies import Latencies
from e2e.run.traffic.sent import Sent

CALM_SECONDS = 3.0
ALONE_SECONDS = 2.0
BESIDE_SECONDS = 4.0
CROWDED_SECONDS = 4.0
MORE = 2
"""So many more callers than it is promised requests ask the neighbour in the end."""
FLOODERS = 48
"""Callers of the flooded model at once: far more than it may have in flight and in its queue."""
PAUSE_SECONDS = 0.25
"""How long one of them waits after a refusal: it does not heed Retry-After."""

_TICK_SECONDS = 0.02
_PROMPT = "word " * 100
_TOKENS = 48


@dataclass(slots=True)
class Flood:
    """Plays the scene. `tell` is called with True when the flood begins, and with False when it is over."""

    caller: Caller
    latencies: Latencies
    roles: Roles
    tell: Callable[[bool], None] = lambda _: None

    async def play(
        self,
        calm_seconds: float = CALM_SECONDS,
        alone_seconds: float = ALONE_SECONDS,
        beside_seconds: float = BESIDE_SECONDS,
        crowded_seconds: float = CROWDED_SECONDS,
    ) -> Scene:
        """One scene; returns when the last of its requests is over."""
        calm: list[Sent] = []
        async with self._asking(self.roles.neighbour, self.roles.minimum, calm):
            await _lateness(calm_seconds)
        flood: list[Sent] = []
        beside: list[Sent] = []
        crowd: list[Sent] = []
        with self._flooding():
            async with self._asking(self.roles.flooded, FLOODERS, flood):
                late = [await _lateness(alone_seconds)]
                async with self._asking(self.roles.neighbour, self.roles.minimum, beside):
                    late.append(await _lateness(beside_seconds))
                async with self._asking(self.roles.neighbour, self.roles.minimum + MORE, crowd):
                    late.append(await _lateness(crowded_seconds / 2))  # its first ones have come into their seats
                    start = time.monotonic()
                    late.append(await _lateness(crowded_seconds / 2))
                    end = time.monotonic()
        return Scene(calm, beside, crowd, flood, (start, end), max(late))

    @asynccontextmanager
    async def _asking(self, service: str, callers: int, sent: list[Sent]) -> AsyncIterator[None]:
        """So many callers of a service while the block lasts; it ends when the last of their requests is over."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(callers):
                tasks.create_task(self._ask(service, sent, stop))
            yield
            stop.set()

    @contextmanager
    def _flooding(self) -> Iterator[None]:
        self.tell(True)
        try:
            yield
        finally:
            self.tell(False)

    async def _ask(self, service: str, sent: list[Sent], stop: asyncio.Event) -> None:
        """One caller: asks again as soon as it has its answer."""
        while not stop.is_set():
            self.latencies.begin(service)
            one = await self.caller.send(service, _PROMPT, _TOKENS)
            self.latencies.end(one)
            sent.append(one)
            if not one.answered:
                await asyncio.sleep(PAUSE_SECONDS)


async def _lateness(seconds: float) -> float:
    """Wait so long; by how much the event loop was late at most. What else ran on the machine then is to blame."""
    loop = asyncio.get_running_loop()
    end, most = loop.time() + seconds, 0.0
    while (now := loop.time()) < end:
        await asyncio.sleep(_TICK_SECONDS)
        most = max(most, loop.time() - now - _TICK_SECONDS)
    return most
