"""The scene: the neighbour always has as many requests under way as it is promised; then the flood comes beside it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e.run.traffic.caller import Caller
from e2e.run.traffic.judgement import Roles, Scene
from e2e.run.traffic.latencies import Latencies
from e2e.run.traffic.sent import Sent

CALM_SECONDS = 4.0
FLOOD_SECONDS = 8.0
FLOODERS = 48
"""Callers of the flooded model at once: far more than it may have in flight and in its queue."""
PAUSE_SECONDS = 0.25
"""How long one of them waits after a refusal: it does not heed Retry-After."""

_TICK_SECONDS = 0.02
_PROMPT = "word " * 100
_NEIGHBOUR_TOKENS = 48
_FLOOD_TOKENS = 48


@dataclass(slots=True)
class Flood:
    """Plays the scene. `tell` is called with True when the flood begins, and with False when it is over."""

    caller: Caller
    latencies: Latencies
    roles: Roles
    tell: Callable[[bool], None] = lambda _: None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self, calm_seconds: float = CALM_SECONDS, flood_seconds: float = FLOOD_SECONDS) -> Scene:
        """One scene; returns when the last of its requests is over."""
        calm, _, _ = await self._beside(calm_seconds, flooders=0)
        beside, flood, late = await self._beside(flood_seconds, flooders=FLOODERS)
        return Scene(calm, beside, flood, late)

    async def _beside(self, seconds: float, flooders: int) -> tuple[list[Sent], list[Sent], float]:
        """The neighbour's requests, and the flood's, of so many seconds; and how late this process ever was."""
        neighbour: list[Sent] = []
        flood: list[Sent] = []
        self._stop.clear()
        with self._flooding(flooders):
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self.roles.minimum):
                    tasks.create_task(self._ask(self.roles.neighbour, _NEIGHBOUR_TOKENS, neighbour))
                for _ in range(flooders):
                    tasks.create_task(self._ask(self.roles.flooded, _FLOOD_TOKENS, flood))
                late = await _lateness(seconds)
                self._stop.set()
        return neighbour, flood, late

    @contextmanager
    def _flooding(self, flooders: int) -> Iterator[None]:
        self.tell(flooders > 0)
        try:
            yield
        finally:
            self.tell(False)

    async def _ask(self, service: str, tokens: int, sent: list[Sent]) -> None:
        """One caller: asks again as soon as it has its answer."""
        while not self._stop.is_set():
            self.latencies.begin(service)
            one = await self.caller.send(service, _PROMPT, tokens)
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
