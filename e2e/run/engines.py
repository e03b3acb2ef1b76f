"""Runs the simulated engines of a plane's pods in a process of their own, and reads what they recorded."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.engine.record import Entry
from e2e.plane import Plane
from e2e.plane.plane import tail
from e2e.plane.processes import Processes
from e2e.run.errors import NotListening, ProcessDied
from e2e.run.install import ROOT

READY_LIMIT_SECONDS = 60.0

_NAME = "engines"
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05


class Engines:
    """The process. `addresses` says where the engine of each pod listens, by uid: what a gateway is given."""

    def __init__(self, plane: Plane, folder: Path, time_scale: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.addresses = folder / "addresses.json"
        self._record = folder / "record"
        self._log = folder / f"{_NAME}.log"
        self._folder = folder
        files = ("--addresses", str(self.addresses), "--record", str(self._record))
        where = ("--kubeconfig", str(plane.kubeconfig), "--time-scale", str(time_scale))
        self._command = [sys.executable, "-m", "e2e.engine.fleet", *where, *files]
        self._processes = Processes(folder / f"{_NAME}.supervisor.log")

    def check(self) -> None:
        """Raise ProcessDied, with the last lines of its log, if the process ended on its own."""
        child = self._processes.children().get(_NAME)
        if child is not None and child.code is not None:
            raise ProcessDied(f"{_NAME} ended with {child.code}; the last lines of its log:\n{tail(self._log)}")

    def recorded(self) -> int:
        """How much was recorded by now: where `entries` may begin."""
        return self._record.stat().st_size if self._record.exists() else 0

    def entries(self, start: int = 0) -> list[Entry]:
        """Everything that was recorded since then. A line that is being written counts the next time."""
        with self._record.open("rb") as file:
            file.seek(start)
            whole, _, _ = file.read().rpartition(b"\n")
        return [Entry.read(line) for line in whole.decode().splitlines()]

    async def start(self) -> None:
        """Start, or start again after `kill`; returns once it follows the pods. Raises ProcessDied, NotListening."""
        environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._folder), "PYTHONPATH": str(ROOT)}
        self.addresses.unlink(missing_ok=True)
        self._processes.start(_NAME, self._command, environ, self._log)
        try:
            async with asyncio.timeout(READY_LIMIT_SECONDS):
                while not self.addresses.exists():
                    self.check()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            waited = f"{_NAME}: no addresses within {READY_LIMIT_SECONDS:.0f} s"
            raise NotListening(f"{waited}; the last lines of its log:\n{tail(self._log)}") from None

    async def kill(self) -> None:
        """End the process, and with it every engine; `start` brings them back, each on another port."""
        await asyncio.to_thread(self._processes.end, _NAME, signal.SIGKILL, _STOP_SECONDS)

    async def close(self) -> None:
        """Ask the process to end, and end what is left of it."""
        child = self._processes.children().get(_NAME)
        if child is not None and child.code is None:
            await asyncio.to_thread(self._processes.end, _NAME, signal.SIGTERM, _STOP_SECONDS)
        await asyncio.to_thread(self._processes.stop)


@asynccontextmanager
async def start_engines(plane: Plane, folder: Path, *, time_scale: float = 1.0) -> AsyncIterator[Engines]:
    """Simulated engines for every pod of ours that gets Ready on the plane; ended on exit."""
    engines = Engines(plane, folder / _NAME, time_scale)
    try:
        await engines.start()
        yield engines
    finally:
        await engines.close()
