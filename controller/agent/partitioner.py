"""ROCmPartitioner: brings a node's GPUs into the modes asked for, in the one order that works.

    memory mode (all GPUs) -> driver reload -> compute modes (each GPU)

A reload resets compute modes, and open handles after a compute change make the reload fail: so memory comes first.
Nothing is believed that was not read after the last change, and nothing is changed while a process has the GPU open.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.agent.backend import (
    BackendError,
    Busy,
    GpuProcess,
    NodeHardware,
    NotSupported,
    PartitionBackend,
    ReloadTimeout,
)
from controller.gpu.mode import MemoryMode, Mode


class LayoutError(ValueError):
    """A layout that this node cannot be in. The text names GPU, mode and remedy."""


class ReadBackMismatch(BackendError):
    """Every call succeeded, and the hardware says something else. The text says what it is and what was asked."""


class GpuLost(ReadBackMismatch):
    """A GPU that was there before a change is not there after it. The text names it."""


class StepKind(StrEnum):
    """What a step does."""

    SET_MEMORY_MODE = "SetMemoryMode"
    RELOAD_DRIVER = "ReloadDriver"
    SET_COMPUTE_MODE = "SetComputeMode"


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `mode` is the mode it is to reach; `bdf` is None where the whole node is touched."""

    kind: StepKind
    mode: Mode
    bdf: str | None = None

    def __str__(self) -> str:
        if self.kind is StepKind.SET_COMPUTE_MODE:
            return f"{self.kind} {self.mode.compute} on {self.bdf}"
        return f"{self.kind} {self.mode.memory}" if self.kind is StepKind.SET_MEMORY_MODE else str(self.kind)


@dataclass(frozen=True, slots=True)
class Progress:
    """A step about to act, and how many percent are done before it."""

    step: Step
    percent: int


Report = Callable[[Progress], Awaitable[None]]


def complete(hardware: NodeHardware, asked: Mapping[str, Mode]) -> dict[str, Mode]:
    """The mode of every GPU once `asked` is reached: those not named keep their compute mode.

    Raises LayoutError for an unknown GPU, for two memory modes, for a mode that a GPU has not got, and while the mode
    of any GPU cannot be read: nobody knows then what a change would touch.
    """
    by_bdf = {gpu.bdf: gpu for gpu in hardware.gpus}
    if unknown := sorted(set(asked) - set(by_bdf)):
        raise LayoutError(f"GPU {unknown[0]}: not on this node; it has {', '.join(sorted(by_bdf))}")
    memories = {mode.memory for mode in asked.values()}
    if len(memories) != 1:
        raise LayoutError(
            f"memory modes {', '.join(sorted(memories)) or '(none)'}: all GPUs of a node share one; ask for one NPS"
        )
    memory = memories.pop()
    target: dict[str, Mode] = {}
    for bdf, gpu in by_bdf.items():
        if gpu.mode is None:
            raise LayoutError(
                f"GPU {bdf}: its mode cannot be read, so that no layout of this node can be reached: look at "
                "current_compute_partition and current_memory_partition of this PCI device, or reload the amdgpu driver"
            )
        target[bdf] = asked.get(bdf, Mode(gpu.mode.compute, memory))
    for bdf, mode in target.items():
        if mode not in by_bdf[bdf].modes_allowed:
            allowed = ", ".join(str(known) for known in by_bdf[bdf].modes_allowed)
            raise LayoutError(f"mode {mode} of GPU {bdf}: {by_bdf[bdf].product} has not got it; use one of {allowed}")
    return target


def steps(current: Mapping[str, Mode], target: Mapping[str, Mode]) -> tuple[Step, ...]:
    """What leads from one to the other; empty when they are equal. Both name the same GPUs.

    When the memory mode changes every compute mode is set again: which one a reload leaves is the driver's choice.
    """
    memory = _memory_to_set(current, target)
    before: list[Step] = []
    if memory is not None:
        any_mode = next(iter(target.values()))
        before = [Step(StepKind.SET_MEMORY_MODE, any_mode), Step(StepKind.RELOAD_DRIVER, any_mode)]
    changed = [bdf for bdf in sorted(target) if memory is not None or current[bdf] != target[bdf]]
    return (*before, *(Step(StepKind.SET_COMPUTE_MODE, target[bdf], bdf) for bdf in changed))


def touched(current: Mapping[str, Mode], target: Mapping[str, Mode]) -> frozenset[str]:
    """The GPUs that must be idle: every one of the node when the memory mode changes, else those that change."""
    if _memory_to_set(current, target) is not None:
        return frozenset(current)
    return frozenset(bdf for bdf in target if current[bdf] != target[bdf])


def _memory_to_set(current: Mapping[str, Mode], target: Mapping[str, Mode]) -> MemoryMode | None:
    wanted = {mode.memory for mode in target.values()}
    present = {mode.memory for mode in current.values()}
    return None if present == wanted else next(iter(wanted), None)


class ROCmPartitioner:
    """Changes modes over any backend. One `apply` at a time."""

    def __init__(self, backend: PartitionBackend) -> None:
        self._backend = backend

    async def apply(self, asked: Mapping[str, Mode], report: Report) -> NodeHardware:
        """Reach `asked` (see `complete`) from wherever the hardware is; what it is afterwards, as read back.

        There already: nothing is called. `report` is awaited before each step acts. Raises NotSupported for a backend
        that changes nothing and LayoutError, both before anything is touched; Busy, naming them, while processes have
        a GPU of the next step open; BackendError's tree from a step; GpuLost, and ReadBackMismatch when the modes do
        not stick. Cancelled or failed half way it can be called again with the same modes. Where sources disagree
        afterwards the result says so: they may take a moment to agree, which is the caller's to wait for.
        """
        if not self._backend.writable:
            raise NotSupported(
                f"backend {self._backend.name}: it reads GPUs and changes none; install AMD SMI's library "
                "(libamd_smi.so, with ROCm) on the host"
            )
        hardware = await self._backend.read()
        target = complete(hardware, asked)
        todo = steps(hardware.modes, target)
        for number, step in enumerate(todo):
            if _reached(step, hardware):
                continue
            await self._require_idle(step, target)
            await report(Progress(step, 100 * number // len(todo)))
            hardware = await self._take(step)
            _require_all(hardware, target, step)
        _verify(hardware, target)
        return hardware

    async def _require_idle(self, step: Step, target: Mapping[str, Mode]) -> None:
        """Raise Busy while a process has a GPU open that the step touches. A backend that cannot tell tells of none."""
        try:
            found = await self._backend.processes()
        except NotSupported:
            return
        touched_now = target.keys() if step.bdf is None else {step.bdf}
        if using := {bdf: who for bdf, who in found.items() if who and bdf in touched_now}:
            told = "; ".join(f"GPU {bdf}: {', '.join(map(_named, who))}" for bdf, who in sorted(using.items()))
            raise Busy(f"{step}: processes have GPUs open ({told}): end them first", frozenset(using))

    async def _take(self, step: Step) -> NodeHardware:
        """Do it; the hardware afterwards."""
        if step.kind is StepKind.SET_MEMORY_MODE:
            await self._backend.set_memory_mode(step.mode.memory)
        elif step.kind is StepKind.RELOAD_DRIVER:
            return await self._reload(step)
        elif step.bdf is not None:
            await self._backend.set_compute_mode(step.bdf, step.mode.compute)
        return await self._backend.read()

    async def _reload(self, step: Step) -> NodeHardware:
        """Reload. One that takes too long may have come to its end all the same: then the hardware says so."""
        try:
            await self._backend.reload_driver()
        except ReloadTimeout as late:
            try:
                hardware = await self._backend.read()
            except BackendError as error:
                raise late from error
            if not _reached(step, hardware):
                raise
            return hardware
        return await self._backend.read()


def _named(process: GpuProcess) -> str:
    return f"{process.name or 'process'} {process.pid}"


def _reached(step: Step, hardware: NodeHardware) -> bool:
    """Whether there is nothing left to do: a reload leaves some compute modes as they are wanted, and before ROCm 7.0
    setting the memory mode reloads by itself."""
    if step.bdf is not None:
        return hardware.modes.get(step.bdf) == step.mode
    memories = [gpu.mode.memory if gpu.mode else None for gpu in hardware.gpus]
    return step.kind is StepKind.RELOAD_DRIVER and set(memories) == {step.mode.memory}


def _require_all(hardware: NodeHardware, target: Mapping[str, Mode], step: Step) -> None:
    if lost := sorted(target.keys() - {gpu.bdf for gpu in hardware.gpus}):
        raise GpuLost(
            f"GPU {', '.join(lost)}: gone after {step}: read the kernel's log, then power the node off and on; replace "
            "the GPU if it stays away"
        )


def _verify(hardware: NodeHardware, target: Mapping[str, Mode]) -> None:
    found = {gpu.bdf: str(gpu.mode or "in a mode that cannot be read") for gpu in hardware.gpus}
    wrong = [
        f"GPU {bdf} is {found.get(bdf, 'gone')} and was asked to be {mode}"
        for bdf, mode in sorted(target.items())
        if found.get(bdf) != str(mode)
    ]
    if wrong:
        raise ReadBackMismatch(f"{'; '.join(wrong)}: read the hardware's log, then ask again or choose another mode")
