"""Replicas as processes, engines, and an API server, to which things happen; and the engines' record as the judge."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from math import inf
from pathlib import Path
from random import Random
from statistics import median

from controller.gateway.peer_name import PEER_NAME
from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.runtime.client.core import LEASES
from e2e.engine.judge import Excess, excesses, most_in_flight, seats_of
from e2e.engine.record import Entry
from e2e.engine.server import serving
from e2e.engine.settings import EngineSettings
from e2e.engine.speed import Speed
from tests.fakes.api_server import FakeApiServer
from tests.integration.gateway.replicas.load import Load
from tests.integration.gateway.replicas.program import Options, Service

ROOT = Path(__file__).parents[4]
LEASE = (3, 2.0, 0.5)
TOKEN_SECONDS = 0.02
CLIENTS = 96
START_SECONDS = 60.0
SETTLED_SECONDS = 10.0
"""After the last event: a lease that runs out, whoever lost it and takes it again, on a machine that may be busy."""
CALM_SECONDS = 3.0


@dataclass
class Process:
    """One replica. `hurt`: when something was done to it last; `stopped`: it does not run just now."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    hurt: float = -1.0
    stopped: bool = False

    def signal(self, number: int, now: float) -> None:
        self.hurt = now
        self.process.send_signal(number)


@dataclass
class Verdict:
    """`excesses`: of what there was more than may be. `unhurt`: what clients of replicas that nothing befell were told
    besides 200, and how often. `handovers`: seconds from a shard's being given back until its next holder's claim, each;
    where that holder was stopped or killed meanwhile they are long. `calm`: how requests ended once nothing happened any
    more."""

    events: Counter[str]
    excesses: list[Excess]
    requests: int
    ended: Counter[str]
    unhurt: Counter[str]
    fullest: dict[str, int]
    longest_seconds: float
    handovers: list[float]
    calm: Counter[str]

    def text(self) -> str:
        return json.dumps(
            {
                "events": dict(self.events),
                "excesses": [str(one) for one in self.excesses],
                "requests": self.requests,
                "ended": dict(self.ended),
                "unhurt": dict(self.unhurt),
                "fullest": self.fullest,
                "longest_seconds": round(self.longest_seconds, 2),
                "calm": dict(self.calm),
                "handovers": len(self.handovers),
                "handover_median_seconds": round(median(self.handovers or [0.0]), 3),
                "handovers_beyond_2_seconds": sum(seconds > 2.0 for seconds in self.handovers),
            }
        )


@dataclass
class Site:
    """Three services on ten engines, of which two share a partition; replicas join and end."""

    api: FakeApiServer
    folder: Path
    rng: Random
    defect: str = ""
    services: list[Service] = field(default_factory=list)
    records: list[StringIO] = field(default_factory=list)
    running: list[Process] = field(default_factory=list)
    ended: list[Process] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    _names: int = 0

    async def begin(self, stack: AsyncExitStack) -> None:
        self.api.serve(LEASES)
        now = datetime.now(UTC)
        leaf = issue_leaf(
            make_authority("replicas", now, timedelta(days=2)), [PEER_NAME], now, timedelta(days=1), purpose="peer"
        )
        for name, pem in (
            ("tls.crt", leaf.certificate_pem),
            ("tls.key", leaf.private_key_pem),
            ("ca.crt", leaf.authority_pem),
        ):
            (self.folder / name).write_bytes(pem)
        for name, engines, seats, maximum in (("llama", 4, 3, None), ("mixtral", 4, 3, 8), ("qwen", 2, 2, None)):
            found = [await self._engine(stack, name, number, seats) for number in range(engines)]
            self.services.append(Service(name, found, maximum))

    async def _engine(self, stack: AsyncExitStack, model: str, number: int, seats: int) -> tuple[str, int, str, int]:
        uid = f"{model}-{number}"
        # qwen's two share the partitions of two of llama's.
        partition = f"node-{number}/0000:{5 if model != 'mixtral' else 6:02}:00.0/0"
        record = StringIO()
        self.records.append(record)
        settings = EngineSettings(model, seats=seats, engine=uid, partition=partition, speed=Speed(floor=TOKEN_SECONDS))
        served = await stack.enter_async_context(serving(settings, record=record))
        return uid, served.port, partition, seats

    async def join(self) -> None:
        self._names += 1
        name = f"r{self._names}"
        ports = self.folder / f"{name}.json"
        options = Options(self.api.url, name, str(self.folder), self.services, LEASE, str(ports), self.defect)
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - a fork; nothing of it is waited for here
                [sys.executable, "-m", "tests.integration.gateway.replicas.program", options.text()],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        async with asyncio.timeout(START_SECONDS):
            while not ports.exists():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended: {(self.folder / f'{name}.log').read_text()[-2000:]}")
                await asyncio.sleep(0.05)
        self.running.append(Process(name, json.loads(ports.read_text())["gateway"], process))

    async def befall(self, tasks: asyncio.TaskGroup) -> None:
        """One of the things that happen to replicas."""
        awake = [one for one in self.running if not one.stopped]
        what = self.rng.choice(["join", "kill", "stop", "stop at the worst", "leave"])
        if len(awake) < 2 or (what == "join" and len(self.running) < 4):
            self.events["join"] += 1
            await self.join()
            return
        if what == "join":
            what = "stop"
        self.events[what] += 1
        one, now = self.rng.choice(awake), asyncio.get_running_loop().time()
        if what == "kill":
            self._end(one, signal.SIGKILL, now)
        elif what == "leave":
            self._end(one, signal.SIGTERM, now)
        else:
            one.stopped = True
            one.signal(signal.SIGSTOP if what == "stop" else signal.SIGUSR1, now)
            # Mostly for long enough that others take its shards, sometimes for less.
            tasks.create_task(self._wake(one, self.rng.choice([0.5, 3.0, 5.0, 8.0])))

    def _end(self, one: Process, number: int, now: float) -> None:
        self.running.remove(one)
        self.ended.append(one)
        one.signal(number, now)

    async def _wake(self, one: Process, seconds: float) -> None:
        await asyncio.sleep(seconds)
        one.signal(signal.SIGCONT, asyncio.get_running_loop().time())
        one.stopped = False

    def entries(self) -> list[Entry]:
        return [Entry.read(line) for record in self.records for line in record.getvalue().splitlines()]

    def verdict(self, load: Load, calm_since: float = inf) -> Verdict:
        entries = self.entries()
        seats = seats_of(entries)
        partitions: Counter[str] = Counter()
        for engine, partition in {(entry.engine, entry.partition) for entry in entries}:
            partitions[partition] += seats[engine]
        maxima = {one.name: one.maximum for one in self.services if one.maximum is not None}
        return Verdict(
            self.events,
            [
                *excesses(entries, lambda entry: entry.engine, seats),
                *excesses(entries, lambda entry: entry.partition, partitions),
                *excesses(entries, lambda entry: entry.model, maxima),
            ],
            len(load.outcomes),
            Counter(one.ended for one in load.outcomes),
            Counter(one.ended for one in load.outcomes if one.ended != "200" and not one.entry_hurt),
            most_in_flight(entries, lambda entry: entry.model),
            max((one.seconds for one in load.outcomes if not one.entry_hurt), default=0.0),
            self._handovers(),
            Counter(one.ended for one in load.outcomes if one.at >= calm_since),
        )

    def _handovers(self) -> list[float]:
        given_back: dict[str, datetime] = {}
        found = []
        for change in self.api.serve(LEASES).history:
            name, spec = change.object["metadata"]["name"], change.object["spec"]
            if "-shard-" in name and not spec["holderIdentity"]:
                given_back[name] = datetime.fromisoformat(spec["renewTime"])
            elif name in given_back:
                claimed = datetime.fromisoformat(spec["acquireTime"])
                found.append((claimed - given_back.pop(name)).total_seconds())
        return found

    def close(self) -> None:
        for one in (*self.running, *self.ended):
            with suppress(ProcessLookupError):
                os.kill(one.process.pid, signal.SIGKILL)
                one.process.wait()


@asynccontextmanager
async def site(seed: int, defect: str = "") -> AsyncIterator[Site]:
    with tempfile.TemporaryDirectory(prefix="aim-replicas-") as folder:
        async with AsyncExitStack() as stack, FakeApiServer() as api:
            found = Site(api, Path(folder), Random(seed), defect)
            await found.begin(stack)
            try:
                yield found
            finally:
                found.close()


async def chaos(
    events: int, seed: int, *, defect: str = "", pause: float = 1.5, tell: Callable[[int, Site], None] | None = None
) -> Verdict:
    """So many events under load, and some time after them in which all comes to rest."""
    async with site(seed, defect) as found:
        await found.join()
        await found.join()
        load = Load(found.running, [one.name for one in found.services])  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run(CLIENTS))
            await asyncio.sleep(1.0)
            for number in range(events):
                await found.befall(tasks)
                if tell is not None:
                    tell(number, found)
                await asyncio.sleep(found.rng.uniform(0.1, 2 * pause))
            while any(one.stopped for one in found.running):  # noqa: ASYNC110 - nobody tells when they wake
                await asyncio.sleep(0.1)
            await asyncio.sleep(SETTLED_SECONDS)
            calm_since = asyncio.get_running_loop().time()
            await asyncio.sleep(CALM_SECONDS)
            load.going = False
        return found.verdict(load, calm_since)
