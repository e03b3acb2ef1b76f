"""A replica of a small elected operator, as a process of its own; and the process that forks them.

    test -> python -m tests.integration.runtime.elected_program -> fork -> replica, replica, ...

Forked, because importing what a replica needs takes half a second of a processor, and a hundred are started.

A replica that leads keeps what is named below, in ResourceClaims labelled with its election: `COUNTERS` objects whose
annotation it counts up, each write carrying the version that it read, and a chain of objects with deterministic names,
to which it adds the next. It tells each creation as an Event. All its writes pass the fence. SIGUSR1 makes it stop itself (SIGSTOP) at the worst moment:
right after the next write has passed the check, and before it is sent. SIGUSR2 blocks its event loop.
"""

import asyncio
import json
import os
import selectors
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import RESOURCE_CLAIMS
from controller.runtime.client.errors import AlreadyExists, Conflict
from controller.runtime.controller import Controller
from controller.runtime.election.lease import LeaseTiming
from controller.runtime.election.renewer import LeaderElector
from controller.runtime.event_recorder import EventRecorder
from controller.runtime.manager import Manager
from controller.runtime.manifest import Manifest
from controller.runtime.reconcile import Request, Result
from controller.runtime.signals import stopping_on_signals
from controller.telemetry.logs import configure_logs

LABEL = "elections.test/election"
COUNT = "elections.test/count"
COUNTERS = 3
WORKERS = COUNTERS + 1  # one for the chain: each may have a write under way
EVENT_WRITERS = 4  # the recorder's: so may each of these


@dataclass(frozen=True)
class Options:
    """One replica. `timing`: duration, renew deadline, retry period; `period`: seconds between writes of an object."""

    kubeconfig: str
    namespace: str
    election: str
    identity: str
    timing: tuple[int, float, float]
    period: float
    block_seconds: float
    log: str


class Replica:
    """The operator."""

    def __init__(self, options: Options, client: Client, elector: LeaderElector) -> None:
        self._options = options
        self._elector = elector
        self._client = client.guarded(self._check)
        self._stops_itself = False
        self._claims: Informer[Manifest] = Informer(
            client, RESOURCE_CLAIMS, namespace=options.namespace, label_selector=f"{LABEL}={options.election}"
        )
        self._controller = Controller(options.election, self._reconcile, workers=WORKERS)
        self._manager = Manager(elector=elector, stop_grace=5.0)
        self._recorder = EventRecorder(self._client, options.election, instance=options.identity)
        self._manager.add_informer(self._claims)
        self._manager.add(self._recorder)
        self._manager.add_controller(self._controller)

    async def run(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, self._arm)
        loop.add_signal_handler(signal.SIGUSR2, time.sleep, self._options.block_seconds)
        for name in (*(f"counter-{number}" for number in range(COUNTERS)), "chain"):
            self._controller.enqueue(Request(self._options.namespace, f"{self._options.election}-{name}"))
        with stopping_on_signals(stop):
            await self._manager.run(stop)

    def _arm(self) -> None:
        self._stops_itself = True

    def _check(self) -> None:
        self._elector.check()
        if self._stops_itself:
            self._stops_itself = False
            os.kill(os.getpid(), signal.SIGSTOP)

    async def _reconcile(self, request: Request) -> Result:
        with suppress(Conflict, AlreadyExists):  # the cache was behind: next time
            await (self._lengthen(request) if request.name.endswith("-chain") else self._count(request))
        return Result(requeue_after=self._options.period)

    async def _count(self, request: Request) -> None:
        held = self._claims.store.get(request.key)
        if held is None:
            await self._create(request.name)
            return
        metadata = held["metadata"]
        annotations = {**metadata["annotations"], COUNT: str(int(metadata["annotations"][COUNT]) + 1)}
        await self._client.replace(RESOURCE_CLAIMS, {**held, "metadata": {**metadata, "annotations": annotations}})

    async def _lengthen(self, request: Request) -> None:
        length = sum(key.startswith(f"{request.key}-") for key in self._claims.store.snapshot())
        await self._create(f"{request.name}-{length:04}")

    async def _create(self, name: str) -> None:
        labels = {LABEL: self._options.election}
        metadata = {
            "namespace": self._options.namespace,
            "name": name,
            "labels": labels,
            "annotations": {COUNT: "1"},
        }
        created = await self._client.create(RESOURCE_CLAIMS, {"metadata": metadata, "spec": {"devices": {}}})
        self._recorder.record(created, "Normal", "Created", f"by {self._options.identity}", "Create")


async def run_replica(options: Options) -> None:
    """Until SIGTERM. A lost lease ends the process."""
    configuration = ClientConfiguration.from_kubeconfig(options.kubeconfig)
    elector = LeaderElector(
        configuration,
        namespace=options.namespace,
        name=options.election,
        identity=options.identity,
        timing=LeaseTiming(*options.timing),
        user_agent=options.identity,
    )
    async with Client(configuration, user_agent=options.identity) as client:
        await Replica(options, client, elector).run()


def order_of(options: Options) -> bytes:
    """The line that makes a nursery start such a replica."""
    return json.dumps(asdict(options)).encode() + b"\n"


class Nursery:
    """Forks a replica for each line on stdin, and says on stdout who was started and who has ended.

    Ends with its stdin, and with it all replicas.
    """

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._rest = b""
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        woken, wake = os.pipe2(os.O_NONBLOCK)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fd == woken:
                    os.read(woken, 4096)
                    self._reap()
                elif orders := os.read(key.fd, 65536):
                    self._obey(orders)
                else:
                    for pid in self._children:
                        os.kill(pid, signal.SIGKILL)
                    return

    def _obey(self, orders: bytes) -> None:
        *lines, self._rest = (self._rest + orders).split(b"\n")
        for line in lines:
            self._start(Options(**json.loads(line)))

    def _start(self, options: Options) -> None:
        pid = os.fork()
        if pid == 0:
            _become(options)
        self._children.add(pid)
        _say({"started": options.identity, "pid": pid})

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _become(options: Options) -> None:
    """Go on as that replica, and never return."""
    code = 1  # as of any program that ends with an exception
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, opened in ((0, nothing), (1, output), (2, output)):
            os.dup2(opened, number)
        configure_logs("info", human=False)
        asyncio.run(run_replica(options))
        code = 0
    except BaseException:  # noqa: BLE001 - printed as the interpreter would, which a fork must not go back to
        traceback.print_exc()
    finally:
        os._exit(code)


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    Nursery().run()
