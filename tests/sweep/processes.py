"""The real operator and the real agents as processes of the sweep: killed, they write nothing more; started, they know
only what the store and the hardware tell.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from unittest.mock import patch

from opentelemetry.metrics import NoOpMeter

from controller.agent.node_agent import NodeAgent
from controller.entrypoints import run_operator
from controller.entrypoints.operator_options import OperatorOptions
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.clock import Clock
from controller.telemetry.metrics import Metrics
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport
from tests.sweep.machine import Machine

LATENCY_SECONDS = 0.01
_NOWHERE = ClientConfiguration("http://store")

Main = Callable[[Client], Awaitable[None]]


class Process:
    """One process, dead or alive, in a TaskGroup of the world's. What ends it by itself is a finding: `died`."""

    def __init__(self, name: str, store: FakeStore, clock: Clock, rng: Random, main: Main) -> None:
        self.name = name
        self.died: list[BaseException] = []
        self._store, self._clock, self._rng, self._main = store, clock, rng, main
        self._wire: StoreTransport | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._wire is not None

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin, with nothing remembered."""
        if self.alive:
            return
        self._wire = StoreTransport(self._store, self.name, latency=LATENCY_SECONDS, rng=self._rng)
        self._task = tasks.create_task(self._run(self._wire), name=self.name)

    def kill(self) -> None:
        """End it here and now: what it is about to write stays unwritten, and no answer reaches it."""
        if self._wire is None or self._task is None:
            return
        self._wire.cut()
        self._task.cancel()
        self._wire = None

    async def _run(self, wire: StoreTransport) -> None:
        try:
            async with Client(_NOWHERE, clock=self._clock, transport=wire) as client:
                await self._main(client)
        except Exception as error:  # noqa: BLE001 - a process of its own: reported by `died`
            self.died.append(error)


def operator(store: FakeStore, clock: Clock, rng: Random) -> Process:
    """The operator as it is wired, without its servers: nothing listens here."""

    async def main(client: Client) -> None:
        options = OperatorOptions(election=None)
        with patch.object(run_operator, "OperatorServers"), patch.object(run_operator, "storage_migration", _Idle):
            built = run_operator.Operator(options, _NOWHERE, client, clock, metrics=_Unmeasured(), reviews=client)
        await built.run(asyncio.Event())

    return Process("operator", store, clock, rng, main)


def agent(node: str, machine: Machine, store: FakeStore, clock: Clock, rng: Random) -> Process:
    """The agent of one node."""

    async def main(client: Client) -> None:
        await NodeAgent(node, client, machine.serve, clock=clock, rng=rng).run()

    return Process(f"agent-{node}", store, clock, rng, main)


class _Unmeasured(Metrics):
    """Nobody reads metrics here: instruments that keep nothing, and tables that nobody asks."""

    def __init__(self) -> None:
        super().__init__("operator")
        self.meter = NoOpMeter("sweep")


class _Idle:
    """A part of the operator that has nothing to do here."""

    def __init__(self, *_: object) -> None:
        self._never = asyncio.Event()

    async def run(self) -> None:
        await self._never.wait()
