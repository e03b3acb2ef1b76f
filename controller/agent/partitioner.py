"""ROCmPartitioner: brings a node's GPUs into the modes asked for, in the one order that works.

    memory mode (all GPUs) -> driver reload -> compute modes (each GPU)

A reload resets compute modes, and open handles after a compute change make the reload fail: so memory comes first.
Nothing is believed that was not read after the last change.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.agent.backend import BackendError, NodeHardware, PartitionBackend
from controller.gpu.mode import MemoryMode, Mode


class LayoutError(ValueError):
    """A layout that this node cannot be in. The text names GPU, mode and remedy."""


class ReadBackMismatch(BackendError):
    """Every call succeeded, and the hardware says something else. The text says what it is and what was asked."""


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

    Raises LayoutError for an unknown GPU, for two memory modes, and for a mode that a GPU has not got.
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
    target = {bdf: asked.get(bdf, Mode(gpu.mode.compute, memory)) for bdf, gpu in by_bdf.items()}
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

        There already: nothing is called. `report` is awaited before each step acts. Raises LayoutError before
        anything is touched, BackendError's tree from a step, ReadBackMismatch when the modes do not stick. Cancelled
        or failed half way it can be called again with the same modes.
        """
        hardware = await self._backend.read()
        target = complete(hardware, asked)
        todo = steps(hardware.modes, target)
        for number, step in enumerate(todo):
            if step.bdf is not None and hardware.modes.get(step.bdf) == step.mode:
                continue  # the reload left it as it is wanted
            await report(Progress(step, 100 * number // len(todo)))
            await self._take(step)
            hardware = await self._backend.read()
        _verify(hardware.modes, target)
        return hardware

    async def _take(self, step: Step) -> None:
        if step.kind is StepKind.SET_MEMORY_MODE:
            await self._backend.set_memory_mode(step.mode.memory)
        elif step.kind is StepKind.RELOAD_DRIVER:
            await self._backend.reload_driver()
        elif step.bdf is not None:
            await self._backend.set_compute_mode(step.bdf, step.mode.compute)


def _verify(found: Mapping[str, Mode], target: Mapping[str, Mode]) -> None:
    wrong = [
        f"GPU {bdf} is {found.get(bdf, 'gone')} and was asked to be {mode}"
        for bdf, mode in sorted(target.items())
        if found.get(bdf) != mode
    ]
    if wrong:
        raise ReadBackMismatch(f"{'; '.join(wrong)}: read the hardware's log, then ask again or choose another mode")
