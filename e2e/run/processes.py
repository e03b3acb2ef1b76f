"""Runs the operator, the agents and the gateway as child processes with the identities they have in a cluster.

Each has a kubeconfig with a ServiceAccount's token; an agent's token is bound to its node. They live under a
supervisor of their own, so that none outlives the caller, and are ended by process id. Their metrics are served
without authentication, on the loopback address.
"""

import asyncio
import http.client
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from e2e.plane import Balancer, Plane, service_account_token
from e2e.plane.kubeconfig import write_kubeconfig
from e2e.plane.plane import tail
from e2e.plane.ports import LOOPBACK
from e2e.plane.processes import Child, Processes
from e2e.run.errors import NotListening, ProcessDied
from e2e.run.install import SYSTEM_NAMESPACE

OPERATOR_ACCOUNT = "aim-gpu-operator"
OPERATOR = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{OPERATOR_ACCOUNT}"
"""The operator's name as admission policies see it."""
AGENT_ACCOUNT = "aim-gpu-agent"
READY_LIMIT_SECONDS = 60.0

_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_ASK_SECONDS = 2.0


# When a process counts as started: it wrote its ports file, and this path answers 200. An agent is ready only once the
# operator has made its GPUNodes, and the operator may be started later.
_OPERATOR_READY = "/readyz"
_AGENT_READY = "/healthz"
_OPERATOR_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/aim-gpu-operator"


class Starter(Protocol):
    """Starts processes and ends them, as `e2e.plane.processes.Processes` does and whatever stands for it."""

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str], log: Path) -> int:
        """Start a process and give its id."""
        ...

    def end(self, name: str, number: signal.Signals, wait_seconds: float) -> int:
        """Send a signal, wait, kill what does not end in time, and give the exit code."""
        ...

    def children(self) -> dict[str, Child]:
        """Every process that was started, by name."""
        ...

    def stop(self) -> None:
        """End all processes."""
        ...


class Worker:
    """One process of ours: the operator, or the agents of several nodes. `start_operator` and `start_agents` make it.

    It may be killed and started again; `check` complains only about an end that nobody asked for. `ports` are the
    ports it took, "health" and "metrics" among them. In a cluster the pod's name would be `name`. `processes` starts
    it, None: a supervisor of its own.
    """

    def __init__(
        self,
        plane: Plane,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        ready_path: str,
        processes: Starter | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._plane = plane
        self.name = name
        self.log = folder / f"{name}.log"
        self._ready_path = ready_path
        self._ports_file = folder / f"{name}.ports"
        program = str(Path(sys.executable).with_name("aim-gpu"))
        listen = ("--bind-host", LOOPBACK, "--health-port", "0", "--metrics-port", "0", "--metrics-plain")
        command, *rest = arguments
        # what a caller asks for comes last, and wins
        self._command = [program, command, *listen, "--ports-file", str(self._ports_file), *rest]
        self._environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "POD_NAME": name}
        self._processes: Starter = processes or Processes(folder / f"{name}.supervisor.log")
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
        """Start, or start again after `kill`; returns once it is ready. Raises ProcessDied, NotListening."""
        self._asked_to_end = False
        self._ports_file.unlink(missing_ok=True)
        self._processes.start(self.name, self._command, self._environ, self.log)
        await self.wait_until(self._ready_path, limit_seconds)

    async def wait_until(self, path: str, limit_seconds: float = READY_LIMIT_SECONDS) -> None:
        """Return once `path` (/healthz, /readyz) answers 200. Raises ProcessDied, ComponentDied, NotListening."""
        try:
            async with asyncio.timeout(limit_seconds):
                while not await asyncio.to_thread(self._answers, path):
                    self.check()
                    self._plane.check()  # without its API server no process of ours gets ready
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            waited = f"{self.name}: {path} does not answer 200 within {limit_seconds:.0f} s"
            raise NotListening(f"{waited}; the last lines of its log:\n{tail(self.log)}") from None

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the process and give its exit code (negative: the signal)."""
        self._asked_to_end = True
        return await asyncio.to_thread(self._processes.end, self.name, number, _STOP_SECONDS)

    async def close(self) -> None:
        """Ask the process to end, and end what is left of it."""
        if self.alive:
            await self.kill(signal.SIGTERM)
        await asyncio.to_thread(self._processes.stop)

    def _answers(self, path: str) -> bool:
        if not self._ports_file.exists():
            return False
        self.ports = json.loads(self._ports_file.read_text(encoding="utf-8"))
        connection = http.client.HTTPConnection(LOOPBACK, self.ports["health"], timeout=_ASK_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@asynccontextmanager
async def start_operator(
    plane: Plane,
    folder: Path,
    *,
    server: str | None = None,
    arguments: Sequence[str] = (),
    processes: Starter | None = None,
) -> AsyncIterator[Worker]:
    """One operator without election, ready, as ServiceAccount aim-gpu-operator; ended on exit.

    `server`: a proxy before the plane's. Without election it works again at once after it was killed. Its webhooks
    listen on the plane's port for them, so that a start changes nothing that the API server knows of them.
    """
    kubeconfig = await asyncio.to_thread(operator_kubeconfig, plane, folder, server)
    webhook = ("--webhook-host", LOOPBACK, "--webhook-port", str(plane.webhook_port))
    command = [*_operator_command(kubeconfig), "--no-leader-elect", *webhook, *arguments]
    async with _running(Worker(plane, "operator", command, folder, _OPERATOR_READY, processes)) as worker:
        yield worker


def _operator_command(kubeconfig: Path) -> list[str]:
    where = ("--kubeconfig", str(kubeconfig), "--system-namespace", SYSTEM_NAMESPACE)
    return ["operator", *where]


class Operators:
    """Replicas of the operator, one of them the leader, their webhooks behind one address: see `start_operators`."""

    def __init__(self, plane: Plane, workers: Sequence[Worker], balancer: Balancer) -> None:
        self._plane = plane
        self._balancer = balancer
        self.workers = tuple(workers)

    def check(self) -> None:
        """Raise ProcessDied if a replica ended on its own."""
        for worker in self.workers:
            worker.check()

    async def start(self, worker: Worker) -> None:
        """Start a replica, or start it again after it was killed; its webhook then takes its share of the calls."""
        before = worker.ports.get("webhook")
        await worker.start()
        self._balancer.add(worker.ports["webhook"])
        if before is not None and before != worker.ports["webhook"]:
            self._balancer.remove(before)

    def leader(self) -> Worker | None:
        """The replica that holds the Lease; None while nobody does, or its holder is gone."""
        lease = self._plane.admin.find(_OPERATOR_LEASE)
        holder = lease["spec"].get("holderIdentity", "") if lease else ""
        name, _, _ = holder.rpartition("_")
        return next((worker for worker in self.workers if worker.name == name and worker.alive), None)


@asynccontextmanager
async def start_operators(
    plane: Plane, folder: Path, *, replicas: int = 2, arguments: Sequence[str] = ()
) -> AsyncIterator[Operators]:
    """Elected replicas of the operator, all ready; ended on exit."""
    kubeconfig = await asyncio.to_thread(operator_kubeconfig, plane, folder)
    with Balancer(port=plane.webhook_port) as balancer:
        url = f"https://{LOOPBACK}:{balancer.port}"
        command = [*_operator_command(kubeconfig), "--webhook-port", "0", "--webhook-url", url, *arguments]
        workers = [Worker(plane, f"operator-{number}", command, folder, _OPERATOR_READY) for number in range(replicas)]
        operators = Operators(plane, workers, balancer)
        try:
            async with asyncio.TaskGroup() as tasks:
                for worker in workers:
                    tasks.create_task(operators.start(worker), name=f"start {worker.name}")
            yield operators
        finally:
            for worker in workers:
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
    processes: Starter | None = None,
) -> AsyncIterator[Worker]:
    """One process that simulates the GPUs of these nodes, each with its node-bound token; ended on exit.

    `nodes`: the mode each begins in, e.g. {"gpu-a": "SPX/NPS1"}; a process that is killed and started again finds
    them as it left them. `time_scale` multiplies how long mode changes take: 1 as on hardware, 0 no time. `name`
    tells several such processes of one folder apart. GPUNodes may appear later: agents wait for theirs.
    """
    home = folder / name
    await asyncio.to_thread(write_agent_tokens, plane, home / "tokens", tuple(nodes))
    command = [
        *("agent", "--backend", "simulated", "--server", plane.server, "--ca-file", str(plane.ca)),
        *("--tokens-dir", str(home / "tokens"), "--state-dir", str(home / "state")),
        *("--time-scale", str(time_scale)),
        *(word for node, mode in nodes.items() for word in ("--node", f"{node}={mode}")),
        *arguments,
    ]
    (home / "state").mkdir(parents=True, exist_ok=True)
    async with _running(Worker(plane, name, command, home, _AGENT_READY, processes)) as worker:
        yield worker


def write_agent_tokens(plane: Plane, folder: Path, nodes: Sequence[str]) -> None:
    """A file a node, named for it, with a token bound to that Node. Raises AdminError for a Node that is not there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for node in nodes:
        path = folder / node
        path.touch(mode=0o600)
        path.write_text(
            service_account_token(plane, SYSTEM_NAMESPACE, AGENT_ACCOUNT, bound_node=node), encoding="ascii"
        )


GATEWAY_NAMESPACE = GATEWAY_ACCOUNT = "aim-gpu-gateway"


@asynccontextmanager
async def start_gateway(
    plane: Plane,
    folder: Path,
    *,
    addresses: Path | None = None,
    server: str | None = None,
    name: str = "gateway",
    arguments: Sequence[str] = (),
) -> AsyncIterator[Worker]:
    """A gateway, ready, as ServiceAccount aim-gpu-gateway; ended on exit. Its port is `ports["gateway"]`.

    `addresses`: the file that says where engines listen, which nobody does at the addresses of simulated pods. Over
    HTTP, unless the arguments name a folder with a certificate.
    """
    worker = await gateway_worker(plane, folder, addresses=addresses, server=server, name=name, arguments=arguments)
    async with _running(worker) as worker:
        yield worker


async def gateway_worker(
    plane: Plane,
    folder: Path,
    *,
    addresses: Path | None = None,
    server: str | None = None,
    name: str = "gateway",
    account: str = GATEWAY_ACCOUNT,
    arguments: Sequence[str] = (),
) -> Worker:
    """A gateway to start. `account` of its namespace is who it is; the rest as `start_gateway`."""
    token = await asyncio.to_thread(service_account_token, plane, GATEWAY_NAMESPACE, account)
    kubeconfig = write_kubeconfig(
        folder / f"{account}.yaml", server=server or plane.server, authority=plane.ca, token=token, user=account
    )
    command = [
        *("gateway", "--kubeconfig", str(kubeconfig), "--port", "0"),
        *(("--addresses-file", str(addresses)) if addresses is not None else ()),
        *(() if "--tls-dir" in arguments else ("--insecure-http",)),
        *arguments,
    ]
    return Worker(plane, name, command, folder, _OPERATOR_READY)


@asynccontextmanager
async def _running(worker: Worker) -> AsyncIterator[Worker]:
    try:
        await worker.start()
        yield worker
    finally:
        await worker.close()


def wait_for_heartbeats(plane: Plane, nodes: Iterable[str]) -> None:
    """Block until every node's agent has a Lease, and with it the operator's trust. Raises NotReady, ComponentDied.

    Models that ask before would be placed among the nodes known by then, and modes be changed for want of others.
    """
    wanted = set(nodes)
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases"
    plane.wait_until(
        lambda: wanted <= {lease["metadata"]["name"] for lease in plane.admin.get(leases)["items"]},
        f"agents of {', '.join(sorted(wanted))} send heartbeats",
    )
