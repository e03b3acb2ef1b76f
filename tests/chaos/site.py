"""One cluster to do harm to: a control plane, two operators behind one address, two agents of three nodes, a gateway and
simulated engines, each of ours with a proxy of its own before the API server.

What ends on its own is started again, as a kubelet would; `restarted` counts it.
"""

import asyncio
import os
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from e2e.plane import Balancer, NotReady, Plane, PlaneError
from e2e.plane.components import APISERVER, CONTROLLER_MANAGER, ETCD, KWOK, SCHEDULER
from e2e.plane.plane import READY_LIMIT_SECONDS
from e2e.plane.ports import LOOPBACK
from e2e.run.engines import Engines, start_engines
from e2e.run.errors import RunError
from e2e.run.install import CRD_FILES, SYSTEM_NAMESPACE, add_gpu_nodes, install
from e2e.run.processes import (
    Operators,
    Worker,
    operator_kubeconfig,
    start_agents,
    start_gateway,
    wait_for_heartbeats,
)
from tests.chaos.etcd import PLANE_ARGUMENTS
from tests.chaos.process import PROGRAM, clock_file
from tests.chaos.proxy import Proxy, proxying
from tests.chaos.schedule import AGENTS, GATEWAY, OPERATORS, STORE
from tests.integration.operator.warm_start import WarmProcesses

NODES: Final[Mapping[str, Mapping[str, str]]] = {
    "agent-0": {"a": "DPX/NPS1", "b": "QPX/NPS1"},
    "agent-1": {"c": "DPX/NPS1"},
}
"""The nodes of each agent, and the mode that they begin in."""
GPUS: Final = 4
TIME_SCALE: Final = 0.05
"""Of mode changes: a reload of a node's driver takes a second and a half."""
PLANE_PARTS: Final = (ETCD, APISERVER, CONTROLLER_MANAGER, SCHEDULER, KWOK)
_LEASE: Final = ("--lease-duration", "5", "--renew-deadline", "3", "--retry-period", "0.5")
_AUTHORITIES_A_LEAF: Final = 5
_LOOK_SECONDS: Final = 0.5
_TRIES: Final = 6
_THREADS: Final = 48  # each may hang for half a minute at an API server that is stopped


@dataclass
class Site:
    """`away`: who does not run because somebody wants it so. `turns`: who ends and starts a process, one at a time."""

    plane: Plane
    folder: Path
    proxies: Mapping[str, Proxy]
    operators: Operators
    agents: Mapping[str, Worker]
    gateway: Worker
    gateway_balancer: Balancer
    engines: Engines
    away: set[str] = field(default_factory=set)
    turns: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    restarted: Counter[str] = field(default_factory=Counter)

    @property
    def workers(self) -> Mapping[str, Worker]:
        """Our processes by name."""
        operators = {worker.name: worker for worker in self.operators.workers}
        return {**operators, **self.agents, GATEWAY: self.gateway}

    def pid(self, name: str) -> int:
        """The process id of one of ours, or of the plane's."""
        worker = self.workers.get(name)
        return worker.pid if worker is not None else self.plane.children()[name].pid

    async def kill(self, name: str) -> None:
        """End it at once; it stays away until `start`."""
        self.away.add(name)
        if (worker := self.workers.get(name)) is not None:
            await worker.kill()
        else:
            await asyncio.to_thread(self.plane.kill, name)

    async def start(self, name: str) -> None:
        """Start it again. What it needs may be away itself, so it may take several tries. Raises RunError, PlaneError."""
        for number in range(1, _TRIES + 1):
            try:
                await self._start(name)
                break
            except (RunError, PlaneError):
                if number == _TRIES:
                    raise
                await self.kill(name)
                await asyncio.sleep(number)
        self.away.discard(name)

    async def _start(self, name: str) -> None:
        worker = self.workers.get(name)
        if worker is None:
            await self._start_part(name)
        elif worker in self.operators.workers:
            await self.operators.start(worker)
        elif worker is self.gateway:
            await self._start_gateway()
        else:
            await worker.start()

    async def _start_part(self, name: str) -> None:
        """Of the plane. Whether other parts of it live is not asked: they may be away as well."""
        if name == KWOK:
            await asyncio.to_thread(self.plane.start_component, name)
            return
        await asyncio.to_thread(self.plane.launch, name)
        if name not in STORE:
            return
        end = asyncio.get_running_loop().time() + READY_LIMIT_SECONDS
        while not await asyncio.to_thread(self.plane.admin.ready):
            if asyncio.get_running_loop().time() > end:
                raise NotReady(
                    f"{name} was started again, and the API server is not ready; its log: {self.plane.log(name)}"
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def _start_gateway(self) -> None:
        await self.gateway.start()
        for port in self.gateway_balancer.backends:
            self.gateway_balancer.remove(port)
        self.gateway_balancer.add(self.gateway.ports["gateway"])

    def stop(self, name: str) -> None:
        """The process gets no time until `resume`."""
        os.kill(self.pid(name), signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """It goes on."""
        with suppress(ProcessLookupError):  # somebody has ended it meanwhile
            os.kill(self.pid(name), signal.SIGCONT)

    def shift_clock(self, name: str, seconds: float) -> None:
        """The date of a process is so far ahead from now on."""
        file = clock_file(self.folder / name, name)
        fresh = file.with_suffix(".new")
        fresh.write_text(str(seconds), encoding="ascii")
        fresh.replace(file)

    def faults_file(self, agent: str) -> Path:
        """What an agent that starts from now on finds its hardware to do."""
        return self.folder / f"{agent}.faults.json"

    def state_file(self, node: str) -> Path:
        """The hardware of a node, as its simulation keeps it."""
        agent = next(name for name, nodes in NODES.items() if node in nodes)
        return self.folder / agent / "state" / f"{node}.json"

    async def keep_running(self) -> None:
        """Start what ended on its own, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                for name in await self._ended():
                    self.away.add(name)
                    tasks.create_task(self._revive(name), name=f"start {name}")

    async def _ended(self) -> list[str]:
        """Who does not run, and nobody wants it so."""
        children = await asyncio.to_thread(self.plane.children)
        ended = [name for name in PLANE_PARTS if children[name].code is not None]
        ended += [name for name, worker in self.workers.items() if not worker.alive]
        return [name for name in ended if name not in self.away]

    async def _revive(self, name: str) -> None:
        async with self.turns[name]:
            self.restarted[name] += 1
            await self.start(name)


@asynccontextmanager
async def site(folder: Path, certificate_seconds: float) -> AsyncIterator[Site]:
    """All of it, ready and with heartbeats; everything ended on exit."""
    # the loop's own, which it shuts down at its end
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(Plane(manifests=CRD_FILES, arguments=PLANE_ARGUMENTS))
        await asyncio.to_thread(install, plane)
        await asyncio.to_thread(add_gpu_nodes, plane, [node for nodes in NODES.values() for node in nodes])
        port = urlsplit(plane.server).port or 0
        proxies = {name: await stack.enter_async_context(proxying(port)) for name in (*OPERATORS, *AGENTS, GATEWAY)}
        operators = await stack.enter_async_context(_operators(plane, folder, proxies, certificate_seconds))
        agents = {name: await stack.enter_async_context(_agent(plane, folder, name, proxies[name])) for name in AGENTS}
        engines = await stack.enter_async_context(start_engines(plane, folder))
        gateway = await stack.enter_async_context(
            start_gateway(
                plane,
                folder,
                addresses=engines.addresses,
                server=_url(proxies[GATEWAY]),
                name=GATEWAY,
                arguments=("--drain-seconds", "1"),
            )
        )
        balancer = stack.enter_context(Balancer([gateway.ports["gateway"]]))
        await asyncio.to_thread(wait_for_heartbeats, plane, [node for nodes in NODES.values() for node in nodes])
        yield Site(plane, folder, proxies, operators, agents, gateway, balancer, engines)


@asynccontextmanager
async def _operators(
    plane: Plane, folder: Path, proxies: Mapping[str, Proxy], certificate_seconds: float
) -> AsyncIterator[Operators]:
    """Two, elected, whose lease and certificate are short. As `e2e.run.processes.start_operators`, each on its own way
    to the API server."""
    lasting = (
        *("--certificate-lifetime", str(certificate_seconds)),
        *("--authority-lifetime", str(_AUTHORITIES_A_LEAF * certificate_seconds)),
    )
    with Balancer(port=plane.webhook_port) as balancer:
        workers = []
        for name in OPERATORS:
            home = folder / name
            home.mkdir()
            kubeconfig = await asyncio.to_thread(operator_kubeconfig, plane, home, _url(proxies[name]))
            command = [
                *("operator", "--kubeconfig", str(kubeconfig), "--system-namespace", SYSTEM_NAMESPACE),
                *("--webhook-port", "0", "--webhook-url", f"https://{LOOPBACK}:{balancer.port}"),
                *_LEASE,
                *lasting,
            ]
            workers.append(Worker(plane, name, command, home, "/readyz", WarmProcesses(PROGRAM)))
        operators = Operators(plane, workers, balancer)
        try:
            for worker in workers:
                await operators.start(worker)
            yield operators
        finally:
            for worker in workers:
                await worker.kill()
                await worker.close()


@asynccontextmanager
async def _agent(plane: Plane, folder: Path, name: str, proxy: Proxy) -> AsyncIterator[Worker]:
    faults = folder / f"{name}.faults.json"
    faults.write_bytes(b"{}")
    arguments = (
        *("--server", _url(proxy), "--faults", str(faults)),
        *("--gpus", str(GPUS), "--heartbeat-seconds", "1"),
    )
    async with start_agents(
        plane,
        folder,
        NODES[name],
        time_scale=TIME_SCALE,
        name=name,
        arguments=arguments,
        processes=WarmProcesses(PROGRAM),
    ) as agent:
        yield agent


def _url(proxy: Proxy) -> str:
    return f"https://{LOOPBACK}:{proxy.port}"


async def patiently(
    act: Callable[[], Awaitable[None]], limit_seconds: float, retried: type[Exception] | tuple[type[Exception], ...]
) -> None:
    """Do it again, ever later, until it works. Raises what it raised last once the time is up."""
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + limit_seconds, 0.2
    while True:
        try:
            return await act()
        except retried:
            if loop.time() + pause > end:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, 3.0)
