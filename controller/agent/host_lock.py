"""One agent of a host at a time changes its GPUs: others, such as the next version's in an update, wait for its end.

The lock is the kernel's (`flock`) on a folder of the host that every agent has. It goes with its process, however that
ends, and not before: a call to the driver can outlive the task that made it, and never the process.
"""

import fcntl
import os
from pathlib import Path

import structlog

from controller.runtime.clock import Clock

_POLL_SECONDS = 1.0


class HostLock:
    """This process's hold on `folder`, once it has it until the process ends. One object a process and host.

    Where there is no such folder nothing is locked, and that is logged.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._descriptor: int | None = None
        self._log = structlog.get_logger(__name__).bind(folder=str(folder))

    async def acquire(self) -> None:
        """Wait until no other process has it. Nothing is waited for when this one does."""
        if self._descriptor is not None:
            return
        try:
            descriptor = os.open(self._folder, os.O_RDONLY)
        except OSError as error:
            self._log.warning("another agent of this host would not be noticed: mount the folder", error=str(error))
            return
        try:
            await self._wait(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    async def _wait(self, descriptor: int) -> None:
        told = False
        while not _locked(descriptor):
            if not told:
                self._log.warning("another agent of this host may be changing its GPUs: waiting for its end")
            told = True
            await self._clock.sleep(_POLL_SECONDS)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
