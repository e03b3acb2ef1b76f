"""One run of one controller process, whoever wrote it: the protocol, and what the process used.

Arguments: --kubeconfig --scenario --namespace --token --projection --workers. The process writes JSON lines, each with
`event` and `at`, the wall clock in nanoseconds:

    {"event": "ready"}    everything is loaded and one request was answered; it waits for a line on standard input
    {"event": "synced"}   its cache holds the first list
    {"event": "first"}    its first reconcile has begun (scenario status)
    {"event": "ended", "milliseconds": [...], "objects": n}   after the end of standard input: what it has counted

All are processes of this machine, so their clocks are one.
"""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.plane.supervisor import end_with_parent

_LONGEST_LINE = 1 << 24
_STOP_SECONDS = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")

Event = Mapping[str, Any]


class ContenderError(RuntimeError):
    """A contender did not do what the protocol says; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a controller is started: the beginning of its command line, and its environment."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used so far: processor time in seconds; and now: resident memory in bytes, open descriptors."""

    cpu_seconds: float
    resident_bytes: int
    descriptors: int


class Contender:
    """A started process. Get one from `started`."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log
        self._first: int | None = None

    async def expect(self, event: str, limit_seconds: float) -> Event:
        """Read lines until one tells `event`. Raises ContenderError when it does not come in time."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(limit_seconds):
                async for line in self._process.stdout:
                    told: Event = json.loads(line)
                    if told["event"] == "first":
                        self._first = told["at"]
                    if told["event"] == event:
                        return told
        except TimeoutError as error:
            raise ContenderError(f"{self.name}: no {event!r} within {limit_seconds:g} s\n{self.tail()}") from error
        raise ContenderError(f"{self.name} ended before {event!r}\n{self.tail()}")

    @property
    def first(self) -> int:
        """When its first reconcile began, in nanoseconds of the wall clock, as far as its lines were read."""
        if self._first is None:
            raise ContenderError(f"{self.name} reconciled nothing\n{self.tail()}")
        return self._first

    def start(self) -> None:
        """Let it begin: caches, then controllers."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"start\n")

    async def end(self) -> Event:
        """Close its standard input; what it has counted. Raises ContenderError."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        ended = await self.expect("ended", _STOP_SECONDS)
        async with asyncio.timeout(_STOP_SECONDS):
            code = await self._process.wait()
        if code != 0:
            raise ContenderError(f"{self.name} ended with {code}\n{self.tail()}")
        return ended

    def usage(self) -> Usage:
        """What it used until now."""
        return usage(self._process.pid)

    def tail(self) -> str:
        """The last lines of what it wrote on standard error."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    async def kill(self) -> None:
        """End it now, if it still runs."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


@asynccontextmanager
async def started(
    program: Program, arguments: Mapping[str, object], log: Path, cpus: frozenset[int]
) -> AsyncIterator[Contender]:
    """A contender on `cpus` only, ready to start; killed at the end of the block if it still runs."""
    options = [f"--{name}={value}" for name, value in arguments.items()]
    environ = {**os.environ, **program.environ, "GOMAXPROCS": str(len(cpus))}
    with log.open("ab") as errors, affinity(cpus):
        process = await asyncio.create_subprocess_exec(
            *program.argv,
            *options,
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            limit=_LONGEST_LINE,
            env=environ,
            preexec_fn=end_with_parent(),
        )
    contender = Contender(program.name, process, log)
    try:
        await contender.expect("ready", _STOP_SECONDS)
        yield contender
    finally:
        await contender.kill()


class affinity:  # noqa: N801 - reads as a statement: with affinity(cpus):
    """The calling thread, and what it starts meanwhile, runs on `cpus` only."""

    def __init__(self, cpus: frozenset[int]) -> None:
        self._cpus = cpus
        self._before: set[int] = set()

    def __enter__(self) -> None:
        self._before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._cpus)

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)


def move(pid: int, cpus: frozenset[int]) -> None:
    """Bind every thread of a running process to `cpus`; twice, for threads that were being started."""
    for _ in range(2):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cpus)


def usage(pid: int) -> Usage:
    """What /proc tells of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(kibibytes) * 1024, descriptors)
