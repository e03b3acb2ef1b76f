"""All traffic of a run: who is asked, the scene, and what is shown and told of both.

async with asking(url, tokens, roles, engines) as traffic:
    traffic.look(running, engine_services, quiet=True)      # with every look at the cluster
    traffic.figures(), traffic.judgement
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import aiohttp

from e2e.engine.record import Entry
from e2e.run.traffic.caller import Caller
from e2e.run.traffic.flood import Flood
from e2e.run.traffic.judgement import Judgement, Roles, judge
from e2e.run.traffic.latencies import Figures, Latencies
from e2e.run.traffic.steady import Steady

BETWEEN_SCENES_SECONDS = 20.0

_POLL_SECONDS = 0.25
_SEED = 1


class Recorded(Protocol):
    """Whatever has the engines' record."""

    def recorded(self) -> int:
        """How much there is now."""
        ...

    def entries(self, start: int = 0) -> Sequence[Entry]:
        """What came since there was so much."""
        ...


@dataclass(slots=True)
class Traffic:
    """What is sent, and what came of it. `judgement` is of the last scene that is over; None before the first.

    `problems` are of all scenes.
    """

    caller: Caller
    roles: Roles | None
    record: Recorded
    latencies: Latencies = field(default_factory=Latencies)
    judgement: Judgement | None = None
    problems: list[str] = field(default_factory=list)
    flooding: bool = False
    _running: frozenset[str] = frozenset()
    _services: Mapping[str, str] = field(default_factory=dict)
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def done(self) -> bool:
        """Whether everything was shown once."""
        return self.roles is None or self.judgement is not None

    def look(self, running: Iterable[str], services: Mapping[str, str], *, quiet: bool) -> None:
        """Be told which services run now, and the service of each engine, by its pod's uid.

        `quiet`: everything is as it is to be; the first scene waits for that.
        """
        self._running = frozenset(running)
        self._services = {**self._services, **services}
        if quiet:
            self._quiet.set()

    def figures(self) -> list[Figures]:
        """What every service took lately."""
        return self.latencies.figures(time.monotonic())

    async def run(self) -> None:
        """Send until cancelled. Raises NotServed."""
        steady = Steady(self.caller, self.latencies, self._asked_steadily, Random(_SEED))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(steady.run(), name="steady requests")
            if self.roles is not None:
                tasks.create_task(self._play(self.roles), name="flooded neighbour")

    def _asked_steadily(self) -> frozenset[str]:
        """Services that run; who plays in the scene is asked by the scene alone, or it would not be its measure."""
        return self._running - self._players

    async def _play(self, roles: Roles) -> None:
        """One scene after another, each judged."""
        await self._quiet.wait()
        for service in sorted(self._players):
            await self.caller.reach(service)
        while True:
            start = self.record.recorded()
            scene = await Flood(self.caller, self.latencies, roles, self._flooded).play()
            self.judgement = await asyncio.to_thread(judge, roles, scene, self.record.entries(start), self._services)
            self.problems += self.judgement.problems
            await asyncio.sleep(BETWEEN_SCENES_SECONDS)

    def _flooded(self, under_way: bool) -> None:
        self.flooding = under_way

    @property
    def _players(self) -> frozenset[str]:
        return frozenset((self.roles.neighbour, self.roles.flooded) if self.roles is not None else ())


@asynccontextmanager
async def asking(url: str, tokens: Mapping[str, str], roles: Roles | None, record: Recorded) -> AsyncIterator[Traffic]:
    """Traffic through the gateway at `url` while the block lasts. `tokens`: of a caller of each namespace."""
    connector = aiohttp.TCPConnector(limit=0)  # callers wait for the gateway, and not for each other
    async with aiohttp.ClientSession(url, connector=connector) as session:
        traffic = Traffic(Caller(session, tokens), roles, record)
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(traffic.run(), name="traffic")
                try:
                    yield traffic
                finally:
                    sending.cancel()
        except BaseExceptionGroup as group:
            raise _innermost(group) from None


def _innermost(error: BaseException) -> BaseException:
    """The one error that groups have wrapped; of several the group that has them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
