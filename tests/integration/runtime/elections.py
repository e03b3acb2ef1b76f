"""Elections on the plane for a test: replicas as processes, who holds which lease, and what the audit log shows."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from controller.runtime.election.lease import LeaseTiming
from e2e.plane import Plane
from e2e.plane.plane import tail
from tests.integration.runtime.elected_program import COUNT, Options, order_of

ROOT = Path(__file__).parents[3]
WRITTEN_SECONDS = 30.0
_POLL_SECONDS = 0.05


@dataclass
class Process:
    """A replica. `code` is None while it has not ended, negative for the signal that ended it."""

    identity: str
    pid: int
    log: Path
    code: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def is_stopped(self) -> bool:
        """Whether it stands still, by SIGSTOP."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    async def wait(self, seconds: float) -> int:
        """Its exit code."""
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            raise AssertionError(f"{self.identity} has not ended within {seconds} s:\n{tail(self.log)}") from None
        assert self.code is not None
        return self.code


@dataclass(frozen=True)
class Held:
    """What a Lease says: `since` is the holder's own clock, which is this machine's."""

    holder: str
    since: datetime
    transitions: int
    renewed: str


class Elections:
    """Starts replicas and follows their Leases. `terms`: every holder that was seen, by election, oldest first.

    `renewed`: when each holder renewed last, as far as was seen, by its own word.
    """

    def __init__(self, plane: Plane, namespace: str, folder: Path) -> None:
        self._plane = plane
        self._namespace = namespace
        self._folder = folder
        self._numbers = count()
        self._processes: dict[int, Process] = {}
        self._started: dict[str, asyncio.Future[Process]] = {}
        self.leases: dict[str, Held] = {}
        self.terms: dict[str, list[Held]] = {}
        self.renewed: dict[str, datetime] = {}
        self._loop = asyncio.get_running_loop()
        command = [sys.executable, "-m", "tests.integration.runtime.elected_program"]
        self._nursery = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, bufsize=0)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    async def start(
        self, election: str, timing: LeaseTiming, *, period: float = 0.5, block_seconds: float = 0.0
    ) -> Process:
        """One replica more for `election`."""
        identity = f"{election}-r{next(self._numbers)}"
        options = Options(
            kubeconfig=str(self._plane.kubeconfig),
            namespace=self._namespace,
            election=election,
            identity=identity,
            timing=(timing.duration, timing.renew_deadline, timing.retry_period),
            period=period,
            block_seconds=block_seconds,
            log=str(self._folder / f"{identity}.log"),
        )
        self._started[identity] = self._loop.create_future()
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(order_of(options))
        async with asyncio.timeout(30):
            return await self._started[identity]

    async def leader(self, election: str, *, other_than: str = "", within: float) -> Held:
        """Who holds the lease, once it is another than `other_than`."""
        held: Held | None = None
        try:
            async with asyncio.timeout(within):
                while True:
                    held = self.leases.get(election)
                    if held is not None and held.holder not in {"", other_than}:
                        return held
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{election}: nobody but {other_than!r} leads within {within} s: {held}") from None

    def identities(self, election: str) -> list[str]:
        """The replicas of an election, in the order in which they were started."""
        return [identity for identity in self._started if identity.startswith(f"{election}-r")]

    def process(self, identity: str) -> Process:
        """The replica of that name."""
        return self._started[identity].result()

    async def written(self, election: str) -> None:
        """Return once a counter of the election has been counted up once more, by whoever leads."""
        path = f"/apis/resource.k8s.io/v1/namespaces/{self._namespace}/resourceclaims/{election}-counter-0"
        counts: set[str] = set()
        async with asyncio.timeout(WRITTEN_SECONDS):
            while len(counts) < 2:
                found = await asyncio.to_thread(self._plane.admin.find, path)
                if found is not None:
                    counts.add(found["metadata"]["annotations"][COUNT])
                await asyncio.sleep(_POLL_SECONDS)

    async def follow(self) -> None:
        """Keep `leases` and `terms` up to date until cancelled."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases"
        while True:
            for item in (await asyncio.to_thread(self._plane.admin.get, path))["items"]:
                self._see(item["metadata"]["name"], item["spec"])
            await asyncio.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """End the nursery, and with it every replica."""
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        self._nursery.wait(10)
        self._reader.join(10)
        assert self._nursery.stdout is not None
        self._nursery.stdout.close()

    def _see(self, election: str, spec: dict[str, Any]) -> None:
        since = datetime.fromisoformat(spec["acquireTime"])
        held = Held(spec.get("holderIdentity") or "", since, spec["leaseTransitions"], spec["renewTime"])
        before = self.leases.get(election)
        self.leases[election] = held
        self.renewed[held.holder] = datetime.fromisoformat(held.renewed)
        if held.holder and (before is None or before.holder != held.holder):
            self.terms.setdefault(election, []).append(held)

    def _read(self) -> None:
        assert self._nursery.stdout is not None
        for line in self._nursery.stdout:
            self._loop.call_soon_threadsafe(self._take, json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "started" in message:
            identity, pid = message["started"], message["pid"]
            process = Process(identity, pid, self._folder / f"{identity}.log")
            self._processes[pid] = process
            if not self._started[identity].done():  # cancelled when the test has failed meanwhile
                self._started[identity].set_result(process)
        else:
            process = self._processes.pop(message["ended"])
            process.code = message["code"]
            process.ended.set()


@asynccontextmanager
async def elections(plane: Plane, namespace: str, folder: Path) -> AsyncIterator[Elections]:
    """Elections in `namespace`; at the end every replica is killed."""
    running = Elections(plane, namespace, folder)
    try:
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(running.follow())
            yield running
            following.cancel()
    finally:
        await asyncio.to_thread(running.close)


@dataclass(frozen=True)
class Write:
    """A write of a replica as the audit log has it. `read`: the resourceVersion it carried, "" for a creation.

    `name`: resource/name. An Event is only ever created here, and counts 1.
    """

    by: str
    at: datetime
    name: str
    created: bool
    code: int
    read: str
    count: int

    @property
    def accepted(self) -> bool:
        return self.code < 300

    @property
    def is_unsure(self) -> bool:
        """Its process ended before the answer: the API server logs 504, whether etcd took the change or not."""
        return self.code == HTTPStatus.GATEWAY_TIMEOUT

    @property
    def is_event(self) -> bool:
        return self.name.startswith("events/")


def audited(log: Path, namespace: str, where: Callable[[Write], bool] = lambda _write: True) -> list[Write]:
    """The replicas' writes of ResourceClaims and Events in `namespace`, by time of arrival."""
    return sorted((write for write in _writes(log, namespace) if where(write)), key=lambda write: write.at)


def _writes(log: Path, namespace: str) -> Iterator[Write]:
    with log.open("rb") as lines:
        for line in lines:
            if namespace.encode() not in line:
                continue
            event = json.loads(line)
            about = event.get("objectRef") or {}
            if about.get("namespace") != namespace or event["verb"] not in {"create", "update", "patch"}:
                continue
            if about["resource"] == "events" and "-r" in event["userAgent"]:  # not a component's of the plane
                yield _write(event, read="", count=1)
            elif about["resource"] == "resourceclaims" and "requestObject" in event:
                metadata = event["requestObject"]["metadata"]
                yield _write(event, metadata.get("resourceVersion", ""), int(metadata["annotations"][COUNT]))


def _write(event: dict[str, Any], read: str, count: int) -> Write:
    about = event["objectRef"]
    return Write(
        by=event["userAgent"],
        at=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        name=f"{about['resource']}/{about['name']}",
        created=event["verb"] == "create",
        code=event["responseStatus"]["code"],
        read=read,
        count=count,
    )
