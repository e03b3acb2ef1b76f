"""One local control plane: start, look after, stop.

The order is etcd, kube-apiserver, the manifests, then kube-controller-manager, kube-scheduler and KWOK together, and
KServe's controllers if asked for. The manifests come before the controllers because the garbage collector learns kinds
when it starts, and later only every 30 seconds.
"""

import asyncio
import http.client
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from e2e.plane import components
from e2e.plane.admin import Admin, Object, documents
from e2e.plane.build import Binaries, ensure_binaries
from e2e.plane.components import API_ADDRESS, APISERVER, ETCD, KWOK, Site
from e2e.plane.credentials import ADMIN, USERS, write_credentials
from e2e.plane.errors import ComponentDied, NotReady, PlaneError
from e2e.plane.kserve import (
    KSERVE,
    KSERVE_MANIFESTS,
    LLMISVC,
    PORTS_EACH,
    KServeSetup,
    Manager,
    known,
    kserve_manager,
    kserve_setup,
    webhooks_work,
)
from e2e.plane.kubeconfig import write_kubeconfig
from e2e.plane.module_manifests import read_manifests
from e2e.plane.node.commands import Command, Programs
from e2e.plane.node.fleet import DNS_MANIFEST, NETWORK, NETWORK_COMMAND, RealNodes, extra_arguments
from e2e.plane.node.packages import ensure_packages
from e2e.plane.node.preflight import check as check_for_nodes
from e2e.plane.node.real_node import RealNode
from e2e.plane.ports import LOOPBACK, Reservation
from e2e.plane.processes import Child, Processes
from e2e.plane.programs import FAMILIES, NODE_FAMILIES
from e2e.plane.programs import KSERVE as KSERVE_FAMILY
from e2e.plane.remains import PREFIX, Record, clear
from e2e.plane.supervisor import remove

READY_LIMIT_SECONDS = 60.0
_POLL_SECONDS = 0.02
_STOP_SECONDS = 3.0  # kube-apiserver would wait much longer for its watches to end
_TAIL_LINES = 20
_KWOK_MANIFEST = Path(__file__).parent / "manifests" / "kwok.yaml"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


@dataclass(frozen=True, slots=True)
class PlaneStatistics:
    """`ready_seconds`: from the first process's start until controllers work. `resident_bytes` by component."""

    ready_seconds: float
    resident_bytes: Mapping[str, int]


class Plane:
    """A control plane of its own, in a folder of its own; a context manager, blocking or async.

    Binaries are built first unless given. `manifests` are YAML files applied before the controllers start (CRDs, so
    that garbage collection knows them at once). Without `folder` the plane lives in a new temporary folder, removed at
    the end; a given one must be empty and is kept. `arguments` adds flags by component. `kserve` adds KServe, its
    kinds and webhooks; `llmisvc` adds to it the controller of LLMInferenceServices, whose kinds are large.

    `real_nodes` adds nodes with a real kubelet and containers, named real-1, real-2 and so on (`nodes`), beside the
    simulated ones: for root on Linux only, else NodeUnavailable. kube-apiserver then listens on their network.

    `webhook_port` is reserved for the webhooks of whatever is tried on the plane, one program after another. A new
    address for them makes the API server begin the storage of converted kinds anew: watches end, and it takes seconds.

    However the caller ends, no process of the plane outlives it. What is left on disk when caller and supervisor were
    both killed, the start of the next plane removes.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        binaries: Binaries | None = None,
        manifests: Sequence[Path] = (),
        arguments: Mapping[str, Sequence[str]] | None = None,
        kserve: bool = False,
        llmisvc: bool = False,
        real_nodes: int = 0,
    ) -> None:
        self._binaries = binaries
        self._manifests = (_KWOK_MANIFEST, *manifests)
        self._extra = dict(arguments or {})
        self._given_folder = folder
        self._kserve_components = (KSERVE, LLMISVC) if llmisvc else (KSERVE,) if kserve else ()
        self._managers: dict[str, Manager] = {}
        self._real_nodes = real_nodes
        self._nodes: RealNodes | None = None
        self._commands: dict[str, Command] = {}
        self._kserve = KServeSetup()
        self._abandoned = threading.Event()
        self._ended_by_us: set[str] = set()
        self._processes: Processes | None = None
        self._record: Record | None = None
        self._reservations: list[Reservation] = []
        self._ready_seconds = 0.0

    # Life -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all and return when the plane works. Raises PlaneError, with a log's tail if a process died."""
        if self._real_nodes:
            check_for_nodes()
        kserve = (KSERVE_FAMILY,) if self._kserve_components else ()
        families = (*FAMILIES, *kserve, *(NODE_FAMILIES if self._real_nodes else ()))
        binaries = self._binaries or ensure_binaries(families=families)
        try:
            self._begin(binaries)
            self._prepare(binaries)
            self._bring_up()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process and remove the folder if it is the plane's own. Does nothing the second time."""
        self._abandoned.set()
        if self._processes is not None:
            self._processes.stop()
        for reservation in self._reservations:
            reservation.close()
        if self._nodes is not None:
            self._nodes.clean_up()
        if self._given_folder is None and hasattr(self, "folder"):
            remove(self.folder)
        if self._record is not None:
            self._record.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self.start)
        except BaseException:
            self._abandoned.set()  # the thread cannot be cancelled: it notices, and cleans up
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    # What a caller needs --------------------------------------------------------------------------------------------

    @property
    def statistics(self) -> PlaneStatistics:
        """How long the start took and the memory of each running process now."""
        running = {name: child for name, child in self.children().items() if child.code is None}
        return PlaneStatistics(
            self._ready_seconds, {name: resident_bytes(child.pid) for name, child in running.items()}
        )

    @property
    def supervisor_pid(self) -> int:
        """The process that is parent of all others of this plane."""
        return self._running().supervisor_pid

    def log(self, component: str) -> Path:
        """What a component wrote on stdout and stderr, over all its restarts."""
        return self.folder / "logs" / f"{component}.log"

    def kubeconfig_for(self, token: str, name: str) -> Path:
        """A kubeconfig file, in the plane's folder, for whoever the token stands for."""
        path = self.folder / "kubeconfigs" / f"{name.replace(':', '-')}.yaml"
        return write_kubeconfig(path, server=self.server, authority=self.ca, token=token, user=name)

    def children(self) -> dict[str, Child]:
        """Process id and exit code of every component that was started."""
        return self._running().children()

    def check(self) -> None:
        """Raise ComponentDied, with the last lines of its log, if a process ended that nobody ended on purpose."""
        for name, child in self.children().items():
            if child.code is not None and name not in self._ended_by_us:
                raise ComponentDied(
                    f"{name} ended with {child.code}; the last lines of its log:\n{tail(self.log(name))}"
                )

    def wait_until(self, condition: Callable[[], bool], what: str, limit_seconds: float = READY_LIMIT_SECONDS) -> None:
        """Block until the condition holds. Raises NotReady at the limit, ComponentDied as soon as a process dies."""
        deadline = time.monotonic() + limit_seconds
        while not condition():
            self.check()
            if self._abandoned.is_set():
                raise PlaneError(f"stopped while waiting for: {what}")
            if time.monotonic() > deadline:
                raise NotReady(f"{what}: not within {limit_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    @property
    def nodes(self) -> Sequence[RealNode]:
        """The real nodes; none unless asked for."""
        return () if self._nodes is None else self._nodes.nodes

    # Faults ---------------------------------------------------------------------------------------------------------

    def kill(self, component: str, number: signal.Signals = signal.SIGKILL) -> int:
        """End a component and give its exit code (negative: the signal). It stays away until `start_component`."""
        self._ended_by_us |= {component, *self._parts(component)}
        return self._running().end(component, number, _STOP_SECONDS)

    def start_component(self, component: str) -> None:
        """Start a component that was killed, with the arguments it had, and wait until it answers if it can."""
        if component == KWOK:
            self._release_nodes()
        if self._nodes is not None and self._nodes.start(component, self):
            return
        self.launch(component)
        if component in {ETCD, APISERVER}:
            self.wait_until(self.admin.ready, f"{component} is ready again")
        elif component in self._managers:
            self.wait_until(self._managers[component].ready, f"{component} is ready again")

    def launch(self, component: str) -> int:
        """Start a component and give its process id, without waiting for anything."""
        command = self._commands[component]
        # No proxy, no kubeconfig and no home of the caller may leak in.
        environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder)} | dict(command.environ)
        pid = self._running().start(component, command.argv, environ, self.log(component))
        self._ended_by_us.discard(component)
        return pid

    def restart(self, component: str) -> None:
        """Ask a component to end (SIGTERM), and start it again on the same address with the same data."""
        self.kill(component, signal.SIGTERM)
        self.start_component(component)

    # Inside ---------------------------------------------------------------------------------------------------------

    def _begin(self, binaries: Binaries) -> None:
        """The plane's folder, its supervisor, and the network of real nodes, whose address everything else needs."""
        clear()
        programs = Programs(binaries, ensure_packages()) if self._real_nodes else None
        self.folder = own_folder(self._given_folder)
        for name in ("logs", "kubeconfigs", "certificates"):
            (self.folder / name).mkdir(mode=0o700)
        if programs is not None:
            self._nodes = RealNodes(self._real_nodes, self.folder, programs)
            self._commands[NETWORK] = NETWORK_COMMAND
        groups = () if self._nodes is None else self._nodes.cgroup_folders
        folders = () if self._given_folder else (self.folder,)
        self._record = Record([*groups, *folders])
        self._processes = Processes(self.log("supervisor"), remove=[*groups, *folders], record=self._record)
        self._address = LOOPBACK if self._nodes is None else self._nodes.connect(self)

    def _prepare(self, binaries: Binaries) -> None:
        users = USERS if self._nodes is None else {**USERS, **self._nodes.users}
        addresses = sorted({LOOPBACK, self._address, API_ADDRESS})
        credentials = write_credentials(self.folder / "certificates", users, addresses)
        apiserver_port = self._reserve(1, self._address)[0]
        etcd_port, etcd_peer_port, self.webhook_port, *kserve_ports = self._reserve(
            3 + PORTS_EACH * len(self._kserve_components), LOOPBACK
        )
        self.server = f"https://{self._address}:{apiserver_port}"
        self.etcd_server = f"http://{LOOPBACK}:{etcd_port}"
        self.ca = credentials.authority
        self.ca_pem = credentials.authority.read_text(encoding="ascii")
        kubeconfigs = {user: self.kubeconfig_for(credentials.tokens[user], user) for user in users}
        self.kubeconfig = kubeconfigs[ADMIN]
        site = Site(self.folder, credentials, kubeconfigs, self._address, apiserver_port, etcd_port, etcd_peer_port)
        self.audit_log = site.audit_log
        self._prepare_kserve(site, binaries, kserve_ports)
        extra = {} if self._nodes is None else extra_arguments(credentials)
        for name, given in components.arguments(site).items():
            added = *extra.get(name, ()), *self._extra.get(name, ())
            self._commands[name] = Command([str(binaries[name]), *given, *added])
        for name, manager in self._managers.items():
            argv = [str(binaries[name]), *manager.arguments, *self._extra.get(name, ())]
            self._commands[name] = Command(argv, manager.environ)
        if self._nodes is not None:
            self._commands |= self._nodes.prepare(site)
        self.admin = Admin(self.server, self.ca, credentials.tokens[ADMIN])

    def _reserve(self, count: int, address: str) -> tuple[int, ...]:
        self._reservations.append(Reservation(count, address))
        return self._reservations[-1].ports

    def _prepare_kserve(self, site: Site, binaries: Binaries, ports: Sequence[int]) -> None:
        """The managers' folders and KServe's objects; does nothing without KServe."""
        if not self._kserve_components:
            return
        missing = {product.name for product in KSERVE_FAMILY.products} - binaries.keys()
        if missing:
            raise PlaneError(f"KServe is asked for without {', '.join(sorted(missing))}: pass its family to the build")
        for index, component in enumerate(self._kserve_components):
            own_ports = ports[index * PORTS_EACH : (index + 1) * PORTS_EACH]
            manager = kserve_manager(component, site, own_ports)
            manager.write_certificate(site.credentials)
            self._managers[component] = manager
        files = read_manifests(binaries[KSERVE_MANIFESTS])
        self._kserve = kserve_setup(files, list(self._managers.values()), self.ca.read_bytes())

    def _bring_up(self) -> None:
        started = time.monotonic()
        for node in self.nodes:
            self._real().power_on(node, self)
        self.launch(ETCD)
        self.launch(APISERVER)
        self.wait_until(self.admin.ready, "kube-apiserver is ready")
        self._apply([*(document for file in self._manifests for document in documents(file)), *self._kserve.kinds])
        for component in (components.CONTROLLER_MANAGER, components.SCHEDULER, KWOK):
            self.launch(component)
        for node in self.nodes:
            self._real().join(node, self)
        if self.nodes:
            self._apply(documents(DNS_MANIFEST))  # who needs names waits for them
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self.wait_until(lambda: self.admin.find(account) is not None, "kube-controller-manager works")
        if self._managers:
            self._bring_up_kserve()
        if self._nodes is not None:
            self.wait_until(lambda: self._real().ready(self.admin), "the real nodes are Ready")
        self._ready_seconds = time.monotonic() - started

    def _bring_up_kserve(self) -> None:
        self.wait_until(lambda: known(self.admin, self._kserve.kinds), "KServe's kinds are discovered")
        self._apply(self._kserve.settings)
        for component, manager in self._managers.items():
            self.launch(component)
            self.wait_until(manager.ready, f"{component} is ready")
        self.wait_until(lambda: webhooks_work(self.admin), "KServe's webhooks work")
        self._apply(self._kserve.presets)

    def _apply(self, objects: Iterable[Object]) -> None:
        try:
            self.admin.apply(objects)
        except (OSError, http.client.HTTPException) as error:
            self.check()  # raises with the log's tail when it was the API server that ended
            raise NotReady(f"manifests were not applied: {error}") from error

    def _release_nodes(self) -> None:
        """KWOK leaves nodes alone whose lease another process holds, so a new one would idle until they run out."""
        for lease in self.admin.get(_LEASES)["items"]:
            self.admin.delete(f"{_LEASES}/{lease['metadata']['name']}")

    def _parts(self, component: str) -> Sequence[str]:
        """The components that end with this one."""
        node = next((node for node in self.nodes if node.name == component), None)
        return () if node is None else (node.containerd, node.kubelet, node.kube_proxy)

    def _real(self) -> RealNodes:
        assert self._nodes is not None
        return self._nodes

    def _running(self) -> Processes:
        if self._processes is None:
            raise PlaneError("the plane was not started")
        return self._processes


def own_folder(given: Path | None) -> Path:
    """A new temporary folder, or the given one, which must be empty or absent: it may be another plane's."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix=PREFIX))
    given.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(given.iterdir()):
        raise PlaneError(f"folder {given} is not empty: name another, or empty it yourself")
    return given.resolve()


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log file; says so when there are none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    return "\n".join(text.splitlines()[-lines:]) or "(it wrote nothing)"


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its children (of a node's: the one that put it there, and itself).

    0 when it is gone, or where /proc does not tell.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        statuses = [Path(f"/proc/{one}/status").read_text(encoding="ascii") for one in (pid, *children)]
    except OSError:
        return 0
    lines = [line.split() for status in statuses for line in status.splitlines() if line.startswith("VmRSS:")]
    return sum(int(kibibytes) for _, kibibytes, _ in lines) * 1024
