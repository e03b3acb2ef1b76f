"""Carries out the operation in GPUNode.spec: each id once, one at a time, on GPUs that nobody holds.

    Running -> withdraw the devices -> settle -> nobody holds them? -> partitioner -> publish -> Succeeded | Failed

There is no journal: the status tells how far an operation came, and the hardware where it is. After a restart an
operation that was Running is finished from wherever the hardware stands.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import structlog

from api.v1beta1.gpu_layout import Layout
from api.v1beta1.gpu_node import NodeOperation, OperationPhase, OperationProgress
from controller.agent.backend import BackendError, Busy, NodeHardware, PartitionBackend
from controller.agent.partitioner import LayoutError, Progress, ROCmPartitioner, complete, touched
from controller.gpu.mode import Mode, ModeError
from controller.runtime.clock import Clock

SETTLE_SECONDS = 1.0
"""How long the scheduler's last allocation from the slices before may take to reach our informers."""

ENDED = frozenset({OperationPhase.SUCCEEDED, OperationPhase.FAILED})
_MESSAGE_CHARACTERS = 4096


class OperationHost(Protocol):
    """The node as an operation sees it. The writes return once stored, however long the API server is away."""

    async def record(self, progress: OperationProgress) -> None:
        """Store the progress, and with it the inventory as it is."""
        ...

    async def withdraw(self, gpus: frozenset[str]) -> None:
        """Take the devices of these GPUs off the ResourceSlices, and leave them off."""
        ...

    async def restore(self, hardware: NodeHardware | None) -> None:
        """Offer every device of `hardware` again; None: read it anew first."""
        ...

    def held(self) -> frozenset[str]:
        """The GPUs that somebody holds."""
        ...


class HalfChanged(BackendError):
    """Somebody took a GPU after the first change: `Busy` is kept for refusals that left everything as it was."""


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
        self._partitioner = ROCmPartitioner(backend)
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
        try:
            hardware, message = await self._change(operation, progress)
        except _Refused as refusal:
            await self._host.restore(None)
            await self._end(progress, OperationPhase.FAILED, refusal.message)
            log.warning("operation failed", reason=refusal.message)
        else:
            await self._host.restore(hardware)
            await self._end(progress, OperationPhase.SUCCEEDED, message)
            log.info("operation succeeded")

    async def _change(self, operation: NodeOperation, progress: OperationProgress) -> tuple[NodeHardware, str]:
        try:
            target = parse(operation.to)
            before = await self._backend.read()
            needed = touched(before.modes, complete(before, target))
            if not needed:
                return before, "every GPU is in the mode asked for"
            await self._clear(needed, progress)
            return await self._apply(target, before, progress), f"changed {_listed(needed)}"
        except Busy as error:
            raise _Refused(f"Busy: {error}") from error
        except (LayoutError, BackendError) as error:
            raise _Refused(f"{type(error).__name__}: {error}") from error

    async def _apply(
        self, target: Mapping[str, Mode], before: NodeHardware, progress: OperationProgress
    ) -> NodeHardware:
        async def report(step: Progress) -> None:
            update = {"step": str(step.step), "progress_percent": step.percent, "message": ""}
            await self._host.record(progress.model_copy(update=update))

        try:
            return await self._partitioner.apply(target, report)
        except Busy as error:
            now = await self._backend.read()
            if now.modes == before.modes:
                raise
            raise HalfChanged(f"{error}; the GPUs are {_modes(now)} now") from error

    async def _clear(self, needed: frozenset[str], progress: OperationProgress) -> None:
        """Make sure that nobody holds the GPUs, or can come to hold them. Raises Busy, nothing being changed."""
        message = f"withdrawing the devices of {_listed(needed)}"
        await self._host.record(progress.model_copy(update={"step": "Withdraw", "message": message}))
        await self._host.withdraw(needed)
        await self._clock.sleep(SETTLE_SECONDS)
        if held := self._host.held() & needed:
            raise Busy(
                f"GPUs {_listed(held)} are held; release their claims first, nothing was changed", frozenset(held)
            )

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
