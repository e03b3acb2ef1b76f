"""Starts of our processes without the time that importing takes: each is forked from one that has imported everything.

What is forked is a process of its own in all that matters here: its own memory, files, sockets and id, and nothing of
its predecessors.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from controller.entrypoints.main import main
from e2e.plane.processes import Child
from e2e.run.processes import Worker

# What the two processes consist of: the command itself imports only what it is asked for, and when.
_MODULES = tuple(
    f"controller.entrypoints.{name}"
    for name in ("operator_command", "run_operator", "agent_command", "run_agent", "agent_backends")
)
PROGRAM: Final = "from tests.integration.operator.warm_start import serve; serve()"
"""What the parent runs of processes with nothing changed."""
_LOOK_SECONDS: Final = 0.005
_ROOT = Path(__file__).parents[3]


class WarmParent:
    """Has imported all that our processes consist of, and forks one at each order. Safe to use from several threads.

    No order takes longer than a fork: whoever waits for a process's end asks again and again.
    """

    def __init__(self, program: str) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether it takes orders."""
        return self._process.poll() is None

    def ask(self, do: str, **order: Any) -> Any:
        """Its answer to an order."""
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps({"do": do, **order}).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it, and what it has forked."""
        self._process.communicate(timeout=10.0)


_PARENTS: dict[str, WarmParent] = {}


def _parent(program: str) -> WarmParent:
    """The parent that runs `program`: one for all tests of a process, since importing is what takes long."""
    found = _PARENTS.get(program)
    if found is None or not found.alive:
        found = _PARENTS[program] = WarmParent(program)
        atexit.register(found.close)
    return found


class WarmProcesses:
    """As `e2e.plane.processes.Processes`, for the command `aim-gpu`: `argv` but its first word is the command's.

    `program`: what their parent runs; it ends in `serve`.
    """

    def __init__(self, program: str = PROGRAM) -> None:
        self._parent = _parent(program)
        self._children: dict[str, Child] = {}

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str], log: Path) -> int:
        """Start a process and give its id."""
        pid: int = self._parent.ask("start", argv=list(argv), environ=dict(environ), log=str(log))
        self._children[name] = Child(pid, None)
        return pid

    def end(self, name: str, number: signal.Signals, wait_seconds: float) -> int:
        """Send a signal, wait, kill what does not end in time, and give the exit code."""
        deadline, pid = time.monotonic() + wait_seconds, self._children[name].pid
        if self.children()[name].code is None:
            self._parent.ask("signal", pid=pid, signal=number.value)
        while (code := self.children()[name].code) is None:
            if time.monotonic() > deadline:
                self._parent.ask("signal", pid=pid, signal=signal.SIGKILL.value)
            time.sleep(_LOOK_SECONDS)
        return code

    def children(self) -> dict[str, Child]:
        """Every process that was started, by name."""
        for name, child in self._children.items():
            if child.code is None:
                self._children[name] = Child(child.pid, self._parent.ask("look", pid=child.pid))
        return dict(self._children)

    def stop(self) -> None:
        """End all processes."""
        for name in self._children:
            self.end(name, signal.SIGKILL, 5.0)


async def warm(worker: Worker, program: str = PROGRAM) -> None:
    """Have a running worker started warm from now on, by a parent that runs `program`."""
    await worker.kill()
    worker._processes.stop()
    worker._processes = WarmProcesses(program)
    await worker.start()


def serve() -> None:
    """The parent of all: imports, then forks at each order until its stdin ends."""
    for module in _MODULES:
        import_module(module)
    ended: dict[int, int] = {}
    running: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        answer: int | None = None
        if order["do"] == "start":
            answer = os.fork()
            if answer == 0:
                _become(order)
            running.add(answer)
        elif order["do"] == "look":
            answer = _code(order["pid"], ended)
        elif _code(order["pid"], ended) is None:
            os.kill(order["pid"], order["signal"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in running:
        if _code(pid, ended) is None:
            os.kill(pid, signal.SIGKILL)


def _become(order: dict[str, Any]) -> None:
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = order["argv"]
    code = 1
    try:
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - the end of a process, which its log tells
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code(pid: int, ended: dict[int, int]) -> int | None:
    """The exit code, None of one that still runs."""
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        ended[pid] = os.waitstatus_to_exitcode(status)
    return ended[pid]
