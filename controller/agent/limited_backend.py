"""A backend none of whose calls can last for ever: a driver that hangs must not silence the agent.

The limits are above the backends' own, which know better what to say, and far above what the calls take: a reload of
eight GPUs about 40 s (AMD's own tool waits 140 s for one), a reading less than a tenth of a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from controller.agent.backend import (
    BackendError,
    DriverGone,
    GpuProcess,
    NodeHardware,
    NodeUse,
    PartitionBackend,
    ReloadTimeout,
)
from controller.gpu.mode import ComputeMode, MemoryMode

READ_SECONDS = 40.0
CHANGE_SECONDS = 150.0
RELOAD_SECONDS = 330.0
"""Also for setting a memory mode: before ROCm 7.0 that reloads the driver by itself."""

_T = TypeVar("_T")


class ChangeTimeout(BackendError):
    """A change of a mode took longer than it can: read again before anything else is done."""


class LimitedBackend:
    """`backend` with a time limit on each call. One that is over its limit is cancelled, whatever the driver does."""

    def __init__(self, backend: PartitionBackend, *, reload_seconds: float = RELOAD_SECONDS) -> None:
        self._backend = backend
        self._reload_seconds = reload_seconds
        self.name = backend.name
        self.simulated = backend.simulated
        self.writable = backend.writable

    async def read(self) -> NodeHardware:
        """As the backend's; raises DriverGone when there is no answer."""
        return await _within(READ_SECONDS, self._backend.read(), _silent)

    async def set_memory_mode(self, mode: MemoryMode) -> None:
        """As the backend's; raises ChangeTimeout."""
        what = _unfinished(f"memory mode {mode}")
        await _within(self._reload_seconds, self._backend.set_memory_mode(mode), what)

    async def reload_driver(self) -> None:
        """As the backend's; raises ReloadTimeout."""
        await _within(self._reload_seconds, self._backend.reload_driver(), _not_back)

    async def set_compute_mode(self, bdf: str, mode: ComputeMode) -> None:
        """As the backend's; raises ChangeTimeout."""
        what = _unfinished(f"compute mode {mode} of GPU {bdf}")
        await _within(CHANGE_SECONDS, self._backend.set_compute_mode(bdf, mode), what)

    async def processes(self) -> Mapping[str, tuple[GpuProcess, ...]]:
        """As the backend's; raises DriverGone when there is no answer."""
        return await _within(READ_SECONDS, self._backend.processes(), _silent)

    async def usage(self) -> NodeUse:
        """As the backend's; raises DriverGone when there is no answer."""
        return await _within(READ_SECONDS, self._backend.usage(), _silent)


async def _within(seconds: float, call: Awaitable[_T], late: Callable[[float], BackendError]) -> _T:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call
    except TimeoutError as error:
        if not limit.expired():
            raise  # the backend's own
        raise late(seconds) from error


def _silent(seconds: float) -> BackendError:
    return DriverGone(f"the driver does not answer within {seconds:g} s; look at the kernel's log, reboot the node")


def _not_back(seconds: float) -> BackendError:
    return ReloadTimeout(
        f"the driver is not back {seconds:g} s after its reload began; look at the kernel's log for what it waits for, "
        "then reload amdgpu or reboot the node"
    )


def _unfinished(what: str) -> Callable[[float], BackendError]:
    return lambda seconds: ChangeTimeout(
        f"{what}: not done within {seconds:g} s; look at the kernel's log, reboot the node"
    )
