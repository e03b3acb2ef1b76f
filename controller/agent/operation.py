"""Carries out the operation in GPUNode.spec: each id once, one at a time, on GPUs that nobody uses.

    Running -> withdraw the devices -> settle -> nobody uses them? -> partitioner -> publish -> Succeeded | Failed

There is no journal: the status tells how far an operation came, and the hardware where it is. After a restart, of the
agent or of its node, an operation that was Running is finished from wherever the hardware stands.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import structlog

from api.v1beta1.gpu_layout import Layout
from api.v1beta1.gpu_node import NodeOperation, OperationPhase, OperationProgress
from controller.agent.backend import BackendError, Busy, DriverGone, NodeHardware, NotSupported, PartitionBackend
from controller.agent.health import missing_partitions
from controller.agent.memory_request import MemoryRequest
from controller.agent.partitioner import (
    LayoutError,
    Progress,
    ROCmPartitioner,
    StepKind,
    complete,
    touched,
)
from controller.gpu.mode import Mode, ModeError
from controller.runtime.clock import Clock

SETTLE_SECONDS = 1.0
"""How long the scheduler's last allocation from the slices before may take to reach our informers."""
COMEBACK_SECONDS = 60.0
"""How long a driver that is gone when an operation starts may take to come back by itself: a reload may be going on."""
AGREE_SECONDS = 10.0
"""How long AMD SMI and KFD may tell different things after a change."""

ENDED = frozenset({OperationPhase.SUCCEEDED, OperationPhase.FAILED})
_POLL_SECONDS = 2.0
_MESSAGE_CHARACTERS = 4096


class OperationHost(Protocol):
    """The node as an operation sees it. The writes return once stored, however long the API server is away."""

    async def record(self, progress: OperationProgress) -> None:
        """Store the progress, and with it the inventory as it is."""
        ...

    async def withdraw(self, gpus: frozenset[str], hardware: NodeHardware) -> None:
        """Take the devices of these GPUs off the ResourceSlices, and leave them off. `hardware` was read just now."""
        ...

    async def restore(self, hardware: NodeHardware | None) -> None:
        """Offer every device of `hardware` again; None: read it anew first."""
        ...

    async def still_held(self) -> frozenset[str]:
        """The GPUs that somebody holds, by the claims and by the kubelet, which is asked now."""
        ...


class HalfChanged(BackendError):
    """Somebody took a GPU after the first change: `Busy` is kept for refusals that left everything as it was."""


class SourcesDisagree(BackendError):
    """The modes are those asked for, and what the backend compares still tells different things of the GPUs."""


class _Refused(Exception):
    """The operation ends as Failed with this message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def failed(operation_id: str, message: str, now: datetime) -> OperationProgress:
    """The record of an operation that was refused before it began."""
    moment = now.replace(microsecond=0)
    return OperationProgress(
        id=operation_id,
        phase=OperationPhase.FAILED,
        message=message[:_MESSAGE_CHARACTERS],
        start_time=moment,
        end_time=moment,
    )


class OperationExecutor:
    """Executes operations on one node."""

    def __init__(self, backend: PartitionBackend, host: OperationHost, clock: Clock, node: str) -> None:
        self._backend = backend
        self._request = MemoryRequest(backend)
        self._host = host
        self._clock = clock
        self._log = structlog.get_logger(__name__).bind(node=node)

    async def execute(self, operation: NodeOperation, last: OperationProgress | None) -> None:
        """Bring `operation` to its end, unless `last`, the status' record, says that it has one.

        Returns when the end is stored. Cancelled half way, calling it again with the stored record resumes.
        """
        own = last if last is not None and last.id == operation.id else None
        if own is not None and own.phase in ENDED:
            return
        resumed = own is not None and own.phase is OperationPhase.RUNNING
        progress = own if own is not None and resumed else self._begun(operation)
        log = self._log.bind(operation=operation.id, resumed=resumed)
        log.info("operation starts")
        run = _Run(self._backend, self._host, self._clock, self._request, operation, progress, resumed=resumed)
        try:
            hardware, message = await run.change()
        except _Refused as refusal:
            await self._host.restore(None)
            await self._end(progress, OperationPhase.FAILED, refusal.message)
            log.warning("operation failed", reason=refusal.message)
        else:
            await self._host.restore(hardware)
            await self._end(progress, OperationPhase.SUCCEEDED, message)
            log.info("operation succeeded")

    def _begun(self, operation: NodeOperation) -> OperationProgress:
        return OperationProgress(
            id=operation.id, phase=OperationPhase.RUNNING, start_time=self._clock.now().replace(microsecond=0)
        )

    async def _end(self, progress: OperationProgress, phase: OperationPhase, message: str) -> None:
        ended = {
            "phase": phase,
            "step": "",
            "progress_percent": 100 if phase is OperationPhase.SUCCEEDED else progress.progress_percent,
            "message": message[:_MESSAGE_CHARACTERS],
            "end_time": self._clock.now().replace(microsecond=0),
        }
        await self._host.record(progress.model_copy(update=ended))


class _Run:
    """One execution. `progress`: the record to carry on; `resumed`: somebody else began it and did not end it."""

    def __init__(
        self,
        backend: PartitionBackend,
        host: OperationHost,
        clock: Clock,
        request: MemoryRequest,
        operation: NodeOperation,
        progress: OperationProgress,
        *,
        resumed: bool,
    ) -> None:
        self._backend = backend
        self._host = host
        self._clock = clock
        self._request = request
        self._operation = operation
        self._progress = progress
        self._resumed = resumed
        self._start: Mapping[str, Mode] = {}

    async def change(self) -> tuple[NodeHardware, str]:
        """Reach the target; the hardware then, and what to tell. Raises _Refused."""
        try:
            target = parse(self._operation.to)
            return await self._reach(target)
        except (LayoutError, BackendError) as error:
            raise _Refused(await self._explain(error)) from error

    async def _reach(self, target: Mapping[str, Mode]) -> tuple[NodeHardware, str]:
        self._recall(target)
        before = await self._read()
        self._start = parse(self._operation.from_) if self._resumed else before.modes
        needed = touched(before.modes, complete(before, target))
        told = [f"changed {_listed(needed)}" if needed else "every GPU is in the mode asked for"]
        if needed:
            await self._clear(needed, before)
            before = await ROCmPartitioner(self._backend).apply(target, self._report)
        hardware = await self._agreed(before)
        told += [await self._request.take_back(hardware), missing_partitions(hardware)]
        return hardware, "; ".join(text for text in told if text)

    def _recall(self, target: Mapping[str, Mode]) -> None:
        """What whoever began it may have asked the driver for: steps are recorded before they act."""
        if self._resumed and self._progress.step.startswith((StepKind.SET_MEMORY_MODE, StepKind.RELOAD_DRIVER)):
            for mode in target.values():
                self._request.ask(mode.memory)

    async def _read(self) -> NodeHardware:
        """The hardware as it is now. Without a driver one is loaded: a reload may have ended half way."""
        try:
            return await self._backend.read()
        except DriverGone as error:
            await self._record("WaitForDriver", 0, str(error))
        deadline = self._clock.monotonic() + COMEBACK_SECONDS
        while self._clock.monotonic() < deadline:
            await self._clock.sleep(_POLL_SECONDS)
            with suppress(DriverGone):
                return await self._backend.read()
        await self._record(StepKind.RELOAD_DRIVER, 0, "no driver answers: loading it")
        await self._backend.reload_driver()
        return await self._backend.read()

    async def _clear(self, needed: frozenset[str], hardware: NodeHardware) -> None:
        """Make sure that nobody uses the GPUs, or can come to use them. Raises Busy, nothing being changed."""
        await self._record("Withdraw", 0, f"withdrawing the devices of {_listed(needed)}")
        await self._host.withdraw(needed, hardware)
        await self._clock.sleep(SETTLE_SECONDS)
        if held := await self._host.still_held() & needed:
            told = f"GPUs {_listed(held)} are held; release their claims or end their pods first, nothing was changed"
            raise Busy(told, held)
        if using := {bdf: who for bdf, who in (await self._processes()).items() if bdf in needed}:
            told = "; ".join(f"GPU {bdf}: {', '.join(who)}" for bdf, who in sorted(using.items()))
            raise Busy(f"processes have them open ({told}); end them first, nothing was changed", frozenset(using))

    async def _processes(self) -> dict[str, list[str]]:
        """Who has which GPU open; nobody where the backend cannot tell: then the claims alone count."""
        try:
            found = await self._backend.processes()
        except NotSupported:
            return {}
        return {bdf: [f"{one.name or 'process'} {one.pid}" for one in who] for bdf, who in found.items() if who}

    async def _report(self, about: Progress) -> None:
        if about.step.kind is StepKind.SET_MEMORY_MODE:
            self._request.ask(about.step.mode.memory)
        await self._record(str(about.step), about.percent, "")

    async def _agreed(self, hardware: NodeHardware) -> NodeHardware:
        """The hardware once its sources agree. Raises SourcesDisagree when they do not come to."""
        deadline = self._clock.monotonic() + AGREE_SECONDS
        while hardware.disagreements:
            if self._clock.monotonic() >= deadline:
                raise SourcesDisagree("; ".join(hardware.disagreements))
            await self._clock.sleep(_POLL_SECONDS)
            hardware = await self._backend.read()
        return hardware

    async def _explain(self, error: Exception) -> str:
        """The message of an operation that failed: what happened, and what it left behind."""
        told = f"{type(error).__name__}: {error}"
        try:
            now = await self._backend.read()
        except BackendError:
            return told  # the node's condition Ready says why
        if isinstance(error, Busy) and self._moved(now):
            told = f"{HalfChanged.__name__}: {error}; the GPUs are {_modes(now)} now"
        left = await self._request.take_back(now)
        return f"{told}; {left}" if left else told

    def _moved(self, now: NodeHardware) -> bool:
        return any(now.modes.get(bdf) != mode for bdf, mode in self._start.items())

    async def _record(self, step: str, percent: int, message: str) -> None:
        update = {"step": step, "progress_percent": percent, "message": message[:_MESSAGE_CHARACTERS]}
        await self._host.record(self._progress.model_copy(update=update))


def parse(layout: Layout) -> Mapping[str, Mode]:
    """Modes by GPU. Raises LayoutError for a GPU named twice or a text that is no mode."""
    modes: dict[str, Mode] = {}
    for entry in layout.gpus:
        if entry.bdf in modes:
            raise LayoutError(f"GPU {entry.bdf}: named twice; give each GPU one mode")
        try:
            modes[entry.bdf] = Mode.parse(entry.mode)
        except ModeError as error:
            raise LayoutError(f"GPU {entry.bdf}: {error}") from error
    return modes


def _listed(bdfs: frozenset[str]) -> str:
    return ", ".join(sorted(bdfs))


def _modes(hardware: NodeHardware) -> str:
    return ", ".join(f"{bdf} {mode}" for bdf, mode in sorted(hardware.modes.items()))
