"""Cases of the sweep as processes: each is forked from a world that has settled, as many at once as there are processors.

All cases begin with the same two nodes and four models, to the last random number: they settle once. What is forked
lives in virtual time, has no threads and no connections, and knows nothing of the cases before it.
"""

import asyncio
import base64
import gc
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

import orjson

from tests.fakes.virtual_loop import run_virtually
from tests.sweep.case import Run, running
from tests.sweep.logged import errors_to

Play: TypeAlias = Callable[[Run, Any], Awaitable[int | None]]
"""Plays one case in a settled run; a function of a module. Raises AssertionError when something is not as it must be.
What it returns is a number that it counts, if it counts something.
"""

Told: TypeAlias = tuple[str, list[str], int]
"""The traceback of a case that failed, else "", what was logged as an error, and what was counted."""

_ROOT: Final = Path(__file__).parents[2]
_PROGRAM: Final = "from tests.sweep.forks import serve; serve()"


class Forks:
    """Plays the cases in their order, whoever waits for which; `close` ends that."""

    def __init__(self, play: Play, cases: Iterable[Any]) -> None:
        count = len(os.sched_getaffinity(0))
        self._play = play
        self._parents = [_Parent() for _ in range(count)]
        self._idle: SimpleQueue[_Parent] = SimpleQueue()
        for parent in self._parents:
            self._idle.put(parent)
        self._threads = ThreadPoolExecutor(count)
        self._played = {case: self._threads.submit(self._one, case) for case in cases}

    def errors_logged(self, case: Any) -> list[str]:
        """What was logged as an error, once the case is over. Raises AssertionError with the traceback of one that failed."""
        failure, logged, _ = self._played[case].result()
        if failure:
            raise AssertionError(failure)
        return logged

    def counted(self) -> dict[Any, int]:
        """What each case has counted, once all are over; 0 for one that failed."""
        return {case: played.result()[2] for case, played in self._played.items()}

    def close(self) -> None:
        """End everything at once, cases that are being played too: one of them may never end by itself."""
        for played in self._played.values():
            played.cancel()
        for parent in self._parents:
            parent.kill()
        self._threads.shutdown()
        for parent in self._parents:
            parent.close()

    def _one(self, case: Any) -> Told:
        parent = self._idle.get()
        try:
            return parent.play(self._play, case)
        finally:
            self._idle.put(parent)


class _Parent:
    """The process of a settled world, which forks one case after another."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _PROGRAM]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT, start_new_session=True
        )

    def play(self, play: Play, case: Any) -> Told:
        """Play it to its end. Raises RuntimeError when the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(pickle.dumps((play, case))) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the settled world ended with {self._process.wait()} before {case} was over")
        failure, logged, counted = orjson.loads(line)
        return failure, logged, counted

    def kill(self) -> None:
        """End it and what it has forked: whoever waits for a case hears that it has ended."""
        os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close what led to it."""
        self._process.communicate()


# In the processes ----------------------------------------------------------------------------------------------------


def serve() -> None:
    """Settle, then play a case in a fork for each line of stdin; what is wrong with it is a line of stdout."""
    logged: list[str] = []
    with errors_to(logged):
        run_virtually(_serve(logged))


async def _serve(logged: list[str]) -> None:
    loop = asyncio.get_running_loop()
    async with running() as run:
        gc.freeze()
        for line in sys.stdin.buffer:
            play, case = pickle.loads(base64.b64decode(line))
            pid = os.fork()
            if pid == 0:
                asyncio._set_running_loop(loop)  # a fork forgets which one runs
                await _forked(play, run, case, logged)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])  # noqa: ASYNC222 - this world stands still
            if code:
                _tell(f"the process of {case} ended with {code}", [], 0)


async def _forked(play: Play, run: Run, case: Any, logged: list[str]) -> None:
    """Play, tell, and end this process without ending anything of its parent's."""
    failure, counted = "", 0
    try:
        counted = await play(run, case) or 0
    except BaseException:  # noqa: BLE001 - told, and judged by the test
        failure = traceback.format_exc()
    _tell(failure, logged, counted)
    os._exit(0)


def _tell(failure: str, logged: list[str], counted: int) -> None:
    with open(sys.stdout.fileno(), "wb", closefd=False) as told:
        told.write(orjson.dumps([failure, logged, counted]) + b"\n")
