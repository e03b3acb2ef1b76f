"""Replicas of a gateway on a store in memory, in virtual time, and somebody who looks at them all the time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from controller.gateway.shards.coordinator import Coordinator, Replica
from controller.gateway.shards.handover import Stand
from controller.gateway.shards.partitions import SHARDS
from controller.gateway.shards.residents import Left
from controller.gateway.shards.timing import ShardTiming
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import LEASES
from tests.fakes.clock import LoopClock
from tests.fakes.store import FakeStore
from tests.fakes.store_transport import StoreTransport
from tests.fakes.virtual_loop import run_virtually

TIMING = ShardTiming()
LOOK_SECONDS = 0.01


class Process:
    """One replica. `in_flight` is what runs at engines for it, by shard."""

    def __init__(self, store: FakeStore, name: str, rng: Random, *, latency: float) -> None:
        self.name = name
        self.wire = StoreTransport(store, name, latency=latency, rng=rng)
        self.in_flight: dict[int, Left] = {}
        self.changes = 0
        client = Client(ClientConfiguration("http://store"), clock=LoopClock(), transport=self.wire)
        self.coordinator = Coordinator(
            client,
            Replica(name, "gateway", "gateways"),
            in_flight=lambda shard: self.in_flight.get(shard, {}),
            changed=self._changed,
            clock=LoopClock(),
            rng=rng,
            timing=TIMING,
        )
        self.coordinator.reached_at(f"{name}:8444")
        self.task: asyncio.Task[None] | None = None

    def open(self) -> set[int]:
        """The shards it would dispatch at this moment."""
        return {keeper.shard for keeper in self.coordinator.keepers if keeper.open}

    def cut(self) -> None:
        self.wire.cut()

    def heal(self) -> None:
        self.wire._alive.set()

    def _changed(self) -> None:
        self.changes += 1


class World:
    """`overlaps`: shards that two would have dispatched at once. `pauses`: seconds for which nobody would have, each."""

    def __init__(self, tasks: asyncio.TaskGroup, seed: int = 1, *, latency: float = 0.02) -> None:
        self.store = FakeStore(LoopClock(), [LEASES])
        self.rng = Random(seed)
        self.processes: list[Process] = []
        self.overlaps: list[tuple[float, int, list[str]]] = []
        self.pauses: list[tuple[int, float]] = []
        self._latency = latency
        self._tasks = tasks
        self._closed_since: dict[int, float] = {}
        self._names = 0

    def join(self) -> Process:
        self._names += 1
        process = Process(self.store, f"p{self._names}", Random(self.rng.random()), latency=self._latency)
        process.task = self._tasks.create_task(process.coordinator.run())
        self.processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        """Nothing of it runs any more, and nothing of it reaches anybody."""
        process.cut()
        self.processes.remove(process)
        assert process.task is not None
        process.task.cancel()

    async def leave(self, process: Process) -> None:
        process.coordinator.stop()
        assert process.task is not None
        await process.task
        self.processes.remove(process)

    async def watch(self) -> None:
        """Who would dispatch what, for ever."""
        while True:
            now = asyncio.get_running_loop().time()
            held = Counter(shard for process in self.processes for shard in process.open())
            for shard, count in held.items():
                if count > 1:
                    self.overlaps.append((now, shard, [one.name for one in self.processes if shard in one.open()]))
            for shard in range(SHARDS):
                if shard not in held:
                    self._closed_since.setdefault(shard, now)
                elif shard in self._closed_since:
                    self.pauses.append((shard, now - self._closed_since.pop(shard)))
            await asyncio.sleep(LOOK_SECONDS)

    async def settled(self, seconds: float) -> None:
        """Wait until every shard is open somewhere, evenly. Raises TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while not self.even():  # noqa: ASYNC110 - nobody tells a bystander
                await asyncio.sleep(LOOK_SECONDS)

    def even(self) -> bool:
        counts = [len(process.open()) for process in self.processes]
        stands = {keeper.stand for process in self.processes for keeper in process.coordinator.keepers}
        return sum(counts) == SHARDS and max(counts) - min(counts) <= 1 and stands <= {Stand.AWAY, Stand.HOLDING}

    def where(self) -> dict[int, str]:
        return {shard: process.name for process in self.processes for shard in process.open()}


def in_world(body: Callable[[World], Awaitable[None]], seed: int = 1) -> World:
    """Run `body`, in virtual time; what came of it."""

    async def main() -> World:
        async with asyncio.TaskGroup() as tasks:
            world = World(tasks, seed)
            watching = tasks.create_task(world.watch())
            await body(world)
            watching.cancel()
            for process in list(world.processes):
                world.kill(process)
        return world

    return run_virtually(main())
