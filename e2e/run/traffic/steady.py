"""Some requests for every model, all the time: what the live table shows. Each service has a pace of its own."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from e2e.run.traffic.caller import Caller
from e2e.run.traffic.latencies import Latencies

MEAN_SECONDS = 1.5
"""Between two requests for one service, on average."""
MOST_AT_ONCE = 4
"""Requests of one service under way; a service that is slow gets no further ones meanwhile."""
PROMPT_WORDS = (20, 400)
ANSWER_TOKENS = (16, 48)

_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Steady:
    """Sends to the services that `serving` names, as they come and go, until cancelled.

    Requests count from a service's first answer on. Raises NotServed for one that never gives any.
    """

    caller: Caller
    latencies: Latencies
    serving: Callable[[], Iterable[str]]
    rng: Random
    _asked: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Follow the services."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for service in sorted(set(self.serving()) - self._asked):
                    self._asked.add(service)
                    tasks.create_task(self._ask(service), name=f"requests for {service}")
                await asyncio.sleep(_LOOK_SECONDS)

    async def _ask(self, service: str) -> None:
        free = asyncio.Semaphore(MOST_AT_ONCE)
        await self.caller.reach(service)
        async with asyncio.TaskGroup() as tasks:
            while service in set(self.serving()):
                await asyncio.sleep(self.rng.expovariate(1 / MEAN_SECONDS))
                if not free.locked():
                    await free.acquire()
                    tasks.create_task(self._one(service, free))
        self._asked.discard(service)

    async def _one(self, service: str, free: asyncio.Semaphore) -> None:
        try:
            prompt = "word " * self.rng.randint(*PROMPT_WORDS)
            self.latencies.begin(service)
            self.latencies.end(await self.caller.send(service, prompt, self.rng.randint(*ANSWER_TOKENS)))
        finally:
            free.release()
