"""The agent of one node: reports its GPUs, keeps its Lease alive, and executes the operation written for it.

    hardware + claims -> ResourceSlices (simulated nodes) -> GPUNode.status -> Lease, while those writes succeed

One TaskGroup holds its loops. What the API refuses or misses is tried again with growing delays; anything else ends
the agent, and whoever runs it starts a new one, which finds everything in the API and the hardware.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Protocol

import structlog
from pydantic import ValidationError

from api.v1beta1.gpu_node import AssignedDevice, GPUNode, GPUNodeStatus, OperationPhase, OperationProgress
from controller.agent.backend import NodeHardware, PartitionBackend
from controller.agent.figures import NO_USE, Claimed, Known, gpu_figures, holdings, partition_figures
from controller.agent.heartbeat import INTERVAL_SECONDS, SYSTEM_NAMESPACE, Heartbeat
from controller.agent.host_lock import HostLock
from controller.agent.inventory import BackendFacts, NodeFacts, node_status
from controller.agent.kubelet_plugins.plugin import NodeView, PluginFactory
from controller.agent.limited_backend import LimitedBackend
from controller.agent.observation import Assignments, Observation
from controller.agent.occupancy import Occupancy
from controller.agent.operation import ENDED, OperationExecutor, failed
from controller.agent.resource_slices import SlicePublisher, devices
from controller.agent.status_reporter import GPUNodeAbsent, StatusReporter
from controller.agent.usage import given_gpus, held_gpus, used_bytes
from controller.gpu.figures import Holding, NodeFigures
from controller.gpu.identity import PartitionId
from controller.runtime.cache.backoff import Backoff
from controller.runtime.cache.informer import Informer
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError
from controller.runtime.clock import Clock
from controller.runtime.manifest import Manifest, uid_of
from controller.state.installed import wait_installed
from controller.state.kinds import GPU_NODES

REFRESH_SECONDS = 10.0
"""Between two readings of the hardware without a reason, and between two checks of what was published."""
SLICES_EVERY = 6
"""At so many refreshes once the slices are read where no kubelet is, which alone deletes them now and then."""

# Between two questions to the kubelet while somebody waits for its answer: it tells nothing by itself.
_KUBELET_SECONDS = 1.0
# Changes that come together become one write: an inventory is large, and of claims it only counts.
_PAUSE_SECONDS = 0.5
_SYNC_SECONDS = 120.0
# The heartbeat rests until the write succeeds: an API server that is back must not find the node stale for long.
_LONGEST_RETRY_SECONDS = 5.0


class BackendFactory(Protocol):
    """Makes the node's backend. Real hardware knows its users; the simulated one asks the two callables."""

    def __call__(
        self, *, held: Callable[[], frozenset[str]], used: Callable[[], Mapping[PartitionId, int]]
    ) -> PartitionBackend:
        """The backend; raises BackendError or ValueError when there can be none."""
        ...


class Ledger(Protocol):
    """What is counted of a node while its agents come and go."""

    def hold(self, holdings: tuple[Holding, ...]) -> None:
        """These are who holds partitions from now on."""
        ...

    def operation_ended(self, phase: OperationPhase) -> None:
        """An operation has come to an end, and its record is stored."""
        ...


class NodeAgent:
    """The agent of `node`; `client` carries that node's own token. `run` it once.

    `fallback`: why the backend is not the one that was asked for, "" when it is. `assignments` None: nobody asks the
    kubelet what it gave to whom. `lock` None: nobody else can change these GPUs. `make_plugin` None: the kubelet is
    served by somebody else, or by nobody. `ledger` None: nobody keeps one.
    """

    def __init__(
        self,
        node: str,
        client: Client,
        make_backend: BackendFactory,
        *,
        clock: Clock,
        rng: Random,
        heartbeat_seconds: float = INTERVAL_SECONDS,
        system_namespace: str = SYSTEM_NAMESPACE,
        fallback: str = "",
        assignments: Assignments | None = None,
        lock: HostLock | None = None,
        make_plugin: PluginFactory | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.node = node
        self._clock = clock
        self._rng = rng
        self._client = client
        self._lock = lock
        self._ledger = ledger
        self._log = structlog.get_logger(__name__).bind(node=node)
        self._gpu_node = Informer(client, GPU_NODES, field_selector=f"metadata.name={node}", clock=clock, rng=rng)
        self._occupancy = Occupancy(client, node, clock, rng)
        self._reporter = StatusReporter(client, self._gpu_node.store, node, self._make_status)
        backend = LimitedBackend(make_backend(held=self.held, used=self._used))
        self._about = BackendFacts(backend.name, backend.simulated, fallback)
        self._seen = Observation(backend, assignments, node, clock)
        self._plugin = make_plugin(self, client) if make_plugin else None
        publishes = backend.simulated and (self._plugin is None or self._plugin.publishes)
        self._publisher = SlicePublisher(client, node) if publishes else None
        self._publishing = asyncio.Lock()
        self._executor = OperationExecutor(backend, self, clock, node)
        # a status that tells of GPUs which cannot be read is as true as any other
        self._heartbeat = Heartbeat(
            client,
            node,
            clock,
            rng,
            lambda: self._report_problem is None,
            owner=self._owner,
            interval_seconds=heartbeat_seconds,
            namespace=system_namespace,
        )
        self._withdrawn: frozenset[str] = frozenset()
        self._published: list[Manifest] | None = None
        self._operation: OperationProgress | None = None
        self._beginning: _Beginning | None = None
        self._operating = False
        self._operated_uid = ""
        self._report_problem: str | None = "nothing was reported yet"
        self._due = asyncio.Event()
        self._spec_seen = asyncio.Event()

    # What others ask ------------------------------------------------------------------------------------------------

    def problem(self) -> str | None:
        """Why this node is not served as it should be: the GPUs cannot be read, or the API holds old news of them."""
        if self._seen.problem is not None:
            return str(self._seen.problem)
        return self._report_problem or (self._plugin.problem() if self._plugin else None)

    def view(self) -> NodeView:
        """The hardware as it is known now, and the GPUs whose devices are withdrawn."""
        return NodeView(self._seen.hardware, self._seen.problem, self._withdrawn)

    def offer(self) -> None:
        """Look soon at what is published, whatever was written before."""
        self._published = None
        self._due.set()

    def held(self) -> frozenset[str]:
        """The GPUs that some claim holds, that the kubelet gave to a pod when it last answered, or that our plugin
        gave to a container and was not asked to take back.
        """
        hardware = self._seen.hardware
        if hardware is None:
            return frozenset()
        held = self._occupancy.holders().keys() | (self._plugin.prepared() if self._plugin else frozenset())
        return held_gpus(hardware, held) | given_gpus(hardware, self._seen.last_assigned)

    async def measure(self) -> NodeFigures:
        """The node as it is now, its use measured: but not while its GPUs are changed, as who looks at one then may
        keep its driver from going.
        """
        use = NO_USE if self._operating else await self._seen.measure()
        hardware, problem = self._seen.hardware, self._seen.problem
        tried = hardware is not None or problem is not None
        known = hardware and Known(
            self.node,
            hardware,
            problem,
            self._claimed(self._seen.assigned),
            use,
            processes=None if self._operating else self._seen.processes,
            changing=self._withdrawn,
            refused=self._seen.refused,
        )
        return NodeFigures(
            node=self.node,
            backend=self._about.name,
            simulated=self._about.simulated,
            driver=hardware.driver_version if hardware else "",
            readable=problem is None and not self._seen.refused if tried else None,
            gpus=gpu_figures(known) if known else (),
            partitions=partition_figures(known) if known else (),
        )

    def holdings(self) -> tuple[Holding, ...]:
        """Who holds partitions of this node, once for each; empty before the first reading."""
        hardware = self._seen.hardware
        return holdings(hardware, self._claimed(self._seen.last_assigned)) if hardware else ()

    # Life -----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled. Raises an ExceptionGroup when something fails that trying again here cannot help."""
        await wait_installed(self._client, self._clock, self._rng)
        async with asyncio.TaskGroup() as tasks:
            informers = (self._gpu_node, *self._occupancy.informers)
            for informer in informers:
                tasks.create_task(informer.run(), name=f"{self.node}: {informer}")
            for informer in informers:
                await informer.wait_synced(_SYNC_SECONDS)
            await self._seen.read()
            self._resume()
            self._occupancy.on_change(self._due.set)
            self._gpu_node.add_handler(lambda _: self._wake())
            self._wake()
            tasks.create_task(self._report_forever(), name=f"{self.node}: report")
            tasks.create_task(self._refresh_forever(), name=f"{self.node}: refresh")
            tasks.create_task(self._ask_kubelet_forever(), name=f"{self.node}: kubelet")
            tasks.create_task(self._operate_forever(), name=f"{self.node}: operate")
            tasks.create_task(self._heartbeat.run(), name=f"{self.node}: heartbeat")
            if self._plugin is not None:
                tasks.create_task(self._plugin.run(), name=f"{self.node}: plugin")

    def _resume(self) -> None:
        """Offer nothing yet when the last agent died during an operation: its devices may be about to go."""
        present = self._gpu_node.store.get(self.node)
        if present is None:
            return
        self._adopt(present)
        interrupted = self._operation is not None and self._operation.phase is OperationPhase.RUNNING
        if interrupted and self._seen.hardware is not None:
            self._withdrawn = frozenset(gpu.bdf for gpu in self._seen.hardware.gpus)

    def _wake(self) -> None:
        self._due.set()
        self._spec_seen.set()

    async def _report_forever(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            await self._until_stored(self._report)
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _report(self) -> None:
        if not self._operating:  # who looks at a GPU now may keep its driver from going
            await self._seen.sample()
        if self._ledger is not None:
            self._ledger.hold(self.holdings())
        try:
            await self._publish_slices()
            await self._reporter.publish()
        except GPUNodeAbsent as absent:
            self._report_problem = str(absent)
            return
        self._report_problem = None

    async def _refresh_forever(self) -> None:
        for number in count(1):
            await self._clock.sleep(REFRESH_SECONDS)
            if not self._operating:
                await self._seen.read()
            if self._plugin is not None or number % SLICES_EVERY == 0:
                self._published = None  # so that slices somebody else changed or deleted are made good
            self._due.set()

    async def _ask_kubelet_forever(self) -> None:
        """Report soon what the kubelet gave to a pod whose claim waits for it."""
        while True:
            await self._clock.sleep(_KUBELET_SECONDS)
            if self._occupancy.awaits_kubelet():
                self._due.set()

    async def _operate_forever(self) -> None:
        while True:
            await self._spec_seen.wait()
            self._spec_seen.clear()
            try:
                await self._operate()
            except GPUNodeAbsent:
                self._log.warning("GPUNode went away during an operation, which is left as it is")
                await self._seen.read()  # the hardware may be half way
            except OperationWithdrawn as withdrawn:
                self._log.info("operation not begun", reason=str(withdrawn))
            finally:
                self._operating = False
                self._beginning = None
                self._withdrawn = frozenset()
            self._due.set()

    async def _operate(self) -> None:
        present = await self._to_be_done()
        if present is None:
            return
        try:
            node = GPUNode.model_validate({"metadata": present["metadata"], "spec": present["spec"]})
        except ValidationError as error:
            await self._refuse(present, error)
            return
        operation = node.spec.operation
        if operation is None:
            return
        running = self._operation is not None and self._operation.phase is OperationPhase.RUNNING
        if node.spec.paused and not running:
            return  # unpausing is another event
        self._operating = True
        self._operated_uid = uid_of(present)
        await self._executor.execute(operation, self._operation)

    async def _to_be_done(self) -> Manifest | None:
        """The GPUNode as the API server has it when there is an operation in it that has not ended, None otherwise.

        What an informer shows may be old: an agent before this one, or still beside it, may have ended the operation.
        """
        present = self._reporter.latest()
        if present is None or self._ended(present):
            return None
        if self._lock is not None:
            await self._lock.acquire()
        newest: list[Manifest | None] = []

        async def ask() -> None:
            newest.append(await self._reporter.newest())

        await self._until_stored(ask)
        return None if newest[0] is None or self._ended(newest[0]) else newest[0]

    def _ended(self, present: Manifest) -> bool:
        """Whether nothing is to be done by the spec, or all of it was, by the status."""
        self._adopt(present)
        operation = present.get("spec", {}).get("operation")
        if not operation:
            return True
        last = self._operation
        return last is not None and last.phase in ENDED and last.id == operation.get("id")

    async def _refuse(self, present: Manifest, error: ValidationError) -> None:
        operation_id = present["spec"]["operation"].get("id")
        if not isinstance(operation_id, str) or not operation_id:
            self._log.error("operation without an id ignored")
            return
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"LayoutError: {where}: {first['msg']}, got {first['input']!r}; write the operation again"
        self._operating, self._operated_uid = True, uid_of(present)
        await self.record(failed(operation_id, message, self._clock.now()))

    # The operation's view of the node (OperationHost) ---------------------------------------------------------------

    async def record(self, progress: OperationProgress) -> None:
        """Store the operation's progress. Raises GPUNodeAbsent, also when another GPUNode has come in its place.

        Its first record raises OperationWithdrawn when the object does not ask for the operation any more: whoever
        took it back saw no record of it, and counts on nothing being done.
        """
        present = self._reporter.latest()
        if present is not None and self._operating and uid_of(present) != self._operated_uid:
            raise GPUNodeAbsent(f"GPUNode {self.node}: was made anew; the operation of the one before is left")
        if self._operation is not None and self._operation.id == progress.id:
            self._operation = progress
        else:
            self._beginning = _Beginning(progress, self._operation)
        await self._until_stored(self._reporter.publish)
        self._beginning = None
        if self._operation is not progress:
            raise OperationWithdrawn(f"operation {progress.id} was taken back before its first record was stored")
        self._report_problem = None
        if self._ledger is not None and progress.phase in ENDED:
            self._ledger.operation_ended(progress.phase)

    async def withdraw(self, gpus: frozenset[str], hardware: NodeHardware) -> None:
        """Take the devices of `gpus` off the slices. From here on holders are told by `hardware`."""
        self._seen.take(hardware)
        self._withdrawn = gpus
        await self._until_stored(self._publish_slices)

    async def still_held(self) -> frozenset[str]:
        """The GPUs that somebody holds, the kubelet being asked now."""
        await self._seen.ask_kubelet()
        return self.held()

    async def restore(self, hardware: NodeHardware | None) -> None:
        """Offer everything again, as `hardware` is or as it is read now."""
        if hardware is not None:
            self._seen.take(hardware)
        else:
            await self._seen.read()
        self._withdrawn = frozenset()
        await self._until_stored(self._publish_slices)

    # Inside ---------------------------------------------------------------------------------------------------------

    def _owner(self) -> Manifest | None:
        present = self._reporter.latest()
        return None if present is None else _node_reference(present)

    def _used(self) -> Mapping[PartitionId, int]:
        hardware = self._seen.hardware
        return used_bytes(hardware, self._occupancy.holders()) if hardware else {}

    def _claimed(self, assigned: tuple[AssignedDevice, ...] | None) -> Claimed:
        return Claimed(self._occupancy.holders(), assigned or (), self._occupancy.waiting())

    def _adopt(self, present: Manifest) -> None:
        """Take over the record of the last operation, but while we carry one out in that object: it is ours then."""
        if self._operating and uid_of(present) == self._operated_uid:
            return
        recorded = (present.get("status") or {}).get("operation")
        self._operation = OperationProgress.model_validate(recorded) if recorded else None

    def _make_status(self, present: Manifest) -> GPUNodeStatus:
        self._adopt(present)
        if self._beginning is not None:
            # each try of the write decides anew: a conflict is how one learns that the operation was taken back
            self._operation = self._beginning.in_object(present)
        facts = NodeFacts(
            hardware=self._seen.hardware,
            problem=self._seen.problem,
            backend=self._about,
            holders=self._occupancy.holders(),
            operation=self._operation,
            processes=self._seen.processes,
            assigned=self._seen.assigned,
        )
        return node_status(facts, present, self._clock.now())

    async def _publish_slices(self) -> None:
        async with self._publishing:
            present = self._reporter.latest()
            hardware, problem = self._seen.hardware, self._seen.problem
            if self._publisher is None or present is None or (hardware is None and problem is None):
                return
            if not self._occupancy.resource_claims_served:
                return  # nobody could allocate from slices: AMD's device plugin hands GPUs out
            wanted = devices(hardware, self._withdrawn) if hardware is not None and problem is None else []
            if wanted == self._published:
                return
            self._published = None
            known = self._plugin is None or self._plugin.registered
            await self._publisher.publish(wanted, _node_reference(present), additions=known)
            self._published = wanted if known else None

    async def _until_stored(self, write: Callable[[], Awaitable[object]]) -> None:
        """Try `write` until the API server took it. Raises what is no ApiError."""
        backoff = Backoff(self._rng, cap=_LONGEST_RETRY_SECONDS)
        while True:
            try:
                await write()
            except ApiError as error:
                self._report_problem = str(error)
                delay = backoff.failed(self._clock.monotonic())
                self._log.warning("write failed", error=str(error), retry_seconds=round(delay, 1))
                await self._clock.sleep(delay)
            else:
                return


class OperationWithdrawn(Exception):
    """An operation was taken out of the GPUNode before any record of it was stored; nothing was done for it."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """An operation whose first record is being written, and the record that stands there until then."""

    progress: OperationProgress
    before: OperationProgress | None

    def in_object(self, present: Manifest) -> OperationProgress | None:
        """The record that belongs into this object: the new one only while its spec still asks for the operation."""
        asked = (present.get("spec") or {}).get("operation") or {}
        return self.progress if asked.get("id") == self.progress.id else self.before


def _node_reference(gpu_node: Manifest) -> Manifest | None:
    """The owner reference to the Node, as the operator wrote it on the GPUNode: agents need no access to Nodes."""
    owners = gpu_node["metadata"].get("ownerReferences") or ()
    return next(({**owner} for owner in owners if owner.get("kind") == "Node"), None)
