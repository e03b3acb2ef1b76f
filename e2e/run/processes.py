"""Runs the operator and the agents as child processes with the identities they have in a cluster.

Each has a kubeconfig with a ServiceAccount's token; an agent's token is bound to its node. They live under a
supervisor of their own, so that none outlives the caller, and are ended by process id.
"""

import asyncio
import http.client
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.plane import Plane, service_account_token
from e2e.plane.kubeconfig import write_kubeconfig
from e2e.plane.plane import tail
from e2e.plane.ports import LOOPBACK
from e2e.plane.processes import Processes
from e2e.run.errors import NotListening, ProcessDied
from e2e.run.install import SYSTEM_NAMESPACE

OPERATOR_ACCOUNT = "aim-gpu-operator"
AGENT_ACCOUNT = "aim-gpu-agent"
READY_LIMIT_SECONDS = 60.0

_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_ASK_SECONDS = 2.0


class Worker:
    """One process of ours: the operator, or the agents of several nodes. `start_operator` and `start_agents` make it.

    It may be killed and started again; `check` complains only about an end that nobody asked for.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = folder / f"{name}.log"
        self._ports_file = folder / f"{name}.ports.json"
        program = str(Path(sys.executable).with_name("aim-gpu"))
        self._command = [program, *arguments, "--ports-file", str(self._ports_file)]
        self._environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), **environ}
        self._processes = Processes(folder / f"{name}.supervisor.log")
        self._asked_to_end = False
        self.ports: Mapping[str, int] = {}

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        return self._processes.children()[self.name].pid

    @property
    def alive(self) -> bool:
        """Whether the process runs now."""
        child = self._processes.children().get(self.name)
        return child is not None and child.code is None

    def check(self) -> None:
        """Raise ProcessDied, with the last lines of its log, if the process ended on its own."""
        child = self._processes.children().get(self.name)
        if child is None or child.code is None or self._asked_to_end:
            return
        raise ProcessDied(f"{self.name} ended with {child.code}; the last lines of its log:\n{tail(self.log)}")

    async def start(self, limit_seconds: float = READY_LIMIT_SECONDS) -> None:
        """Start, or start again after `kill`; returns when /readyz says yes. Raises ProcessDied, NotListening."""
        self._asked_to_end = False
        self._ports_file.unlink(missing_ok=True)
        self._processes.start(self.name, self._command, self._environ, self.log)
        try:
            async with asyncio.timeout(limit_seconds):
                while not await asyncio.to_thread(self._ready):
                    self.check()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise NotListening(
                f"{self.name} is not ready after {limit_seconds:.0f} s; the last lines of its log:\n{tail(self.log)}"
            ) from None

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the process and give its exit code (negative: the signal)."""
        self._asked_to_end = True
        return await asyncio.to_thread(self._processes.end, self.name, number, _STOP_SECONDS)

    async def close(self) -> None:
        """Ask the process to end, and end what is left of it."""
        if self.alive:
            await self.kill(signal.SIGTERM)
        await asyncio.to_thread(self._processes.stop)

    def _ready(self) -> bool:
        if not self._ports_file.exists():
            return False
        try:
            self.ports = json.loads(self._ports_file.read_text(encoding="utf-8"))
        except ValueError:  # being written
            return False
        connection = http.client.HTTPConnection(LOOPBACK, self.ports["metrics"], timeout=_ASK_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """`time_scale` multiplies how long simulated mode changes take: 1 realistic, 0 instant. `gpus` a node."""

    time_scale: float = 0.1
    gpus: int = 8


@asynccontextmanager
async def start_operator(
    plane: Plane, folder: Path, *, server: str | None = None, arguments: Sequence[str] = ()
) -> AsyncIterator[Worker]:
    """The operator, ready, as ServiceAccount aim-gpu-operator; ended on exit. `server`: a proxy before the plane's."""
    kubeconfig = await asyncio.to_thread(operator_kubeconfig, plane, folder, server)
    command = [
        *("operator", "--kubeconfig", str(kubeconfig), "--system-namespace", SYSTEM_NAMESPACE),
        *("--bind-host", LOOPBACK, "--webhook-host", LOOPBACK, "--webhook-port", "0", "--metrics-port", "0"),
        *arguments,
    ]
    worker = Worker("operator", command, folder, {})
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()


def operator_kubeconfig(plane: Plane, folder: Path, server: str | None = None) -> Path:
    """A kubeconfig for the operator's ServiceAccount. Raises AdminError when that is not installed."""
    token = service_account_token(plane, SYSTEM_NAMESPACE, OPERATOR_ACCOUNT)
    return write_kubeconfig(
        folder / f"{OPERATOR_ACCOUNT}.yaml",
        server=server or plane.server,
        authority=plane.ca,
        token=token,
        user=OPERATOR_ACCOUNT,
    )


@asynccontextmanager
async def start_agents(
    plane: Plane,
    folder: Path,
    nodes: Mapping[str, str],
    *,
    time_scale: float = 0.1,
    name: str = "agent",
    arguments: Sequence[str] = (),
) -> AsyncIterator[Worker]:
    """One process that simulates the GPUs of these nodes, each with its node-bound token; ended on exit.

    `nodes`: the mode each begins in, e.g. {"gpu-a": "SPX/NPS1"}. `name` tells several such processes of one folder
    apart. The nodes' GPUNodes may appear later: the agent waits for them.
    """
    kubeconfigs = await asyncio.to_thread(agent_kubeconfigs, plane, folder / name, tuple(nodes))
    command = agent_arguments(nodes, kubeconfigs, time_scale)
    worker = Worker(name, [*command, *arguments], folder, {})
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()


def agent_arguments(nodes: Mapping[str, str], kubeconfigs: Mapping[str, Path], time_scale: float) -> list[str]:
    """The agent's command line: a node, its mode and its kubeconfig together."""
    command = ["agent", "--backend", "simulated", "--metrics-port", "0", "--time-scale", str(time_scale)]
    for node, mode in nodes.items():
        command += ["--node", f"{node}={mode}", "--node-kubeconfig", f"{node}={kubeconfigs[node]}"]
    return command


def agent_kubeconfigs(plane: Plane, folder: Path, nodes: Sequence[str]) -> dict[str, Path]:
    """A kubeconfig a node, its token bound to that Node."""
    found = {}
    for node in nodes:
        token = service_account_token(plane, SYSTEM_NAMESPACE, AGENT_ACCOUNT, bound_node=node)
        path = folder / f"{node}.yaml"
        found[node] = write_kubeconfig(
            path, server=plane.server, authority=plane.ca, token=token, user=f"{AGENT_ACCOUNT}-{node}"
        )
    return found
