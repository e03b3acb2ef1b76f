"""Starts of our processes without the time that importing takes: each is forked from one that has imported everything.

For tests that start the operator many times. What is forked is a process of its own in all that matters here: its own
memory, files, sockets and id, and nothing of its predecessors.
"""

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
from typing import Any

from controller.entrypoints.main import main
from e2e.plane.processes import Child
from e2e.run.processes import Worker

# What the two processes consist of: the command itself imports only what it is asked for, and when.
_MODULES = tuple(
    f"controller.entrypoints.{name}"
    for name in ("operator_command", "run_operator", "agent_command", "run_agent", "agent_backends")
)
_PROGRAM = "from tests.integration.operator.warm_start import serve; serve()"
_ROOT = Path(__file__).parents[3]


class WarmProcesses:
    """As `e2e.plane.processes.Processes`, for the command `aim-gpu`: `argv` but its first word is the command's.

    `program`: what their parent runs; it ends in `serve`.
    """

    def __init__(self, program: str = _PROGRAM) -> None:
        self._lock = threading.Lock()
        self._children: dict[str, Child] = {}
        self._parent = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            start_new_session=True,
        )

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str], log: Path) -> int:
        """Start a process and give its id."""
        pid: int = self._ask({"do": "start", "argv": list(argv), "environ": dict(environ), "log": str(log)})
        self._children[name] = Child(pid, None)
        return pid

    def end(self, name: str, number: signal.Signals, wait_seconds: float) -> int:
        """Send a signal, wait, kill what does not end in time, and give the exit code."""
        child = self.children()[name]
        if child.code is None:
            code: int = self._ask({"do": "end", "pid": child.pid, "signal": number.value, "seconds": wait_seconds})
            self._children[name] = child = Child(child.pid, code)
        assert child.code is not None
        return child.code

    def children(self) -> dict[str, Child]:
        """Every process that was started, by name."""
        for name, child in self._children.items():
            if child.code is None:
                self._children[name] = Child(child.pid, self._ask({"do": "look", "pid": child.pid}))
        return dict(self._children)

    def stop(self) -> None:
        """End all processes."""
        for name in self._children:
            self.end(name, signal.SIGKILL, 5.0)
        self._parent.communicate(timeout=10.0)

    def _ask(self, order: dict[str, Any]) -> Any:
        with self._lock:
            assert self._parent.stdin is not None
            assert self._parent.stdout is not None
            self._parent.stdin.write(json.dumps(order).encode() + b"\n")
            self._parent.stdin.flush()
            return json.loads(self._parent.stdout.readline())


async def warm(worker: Worker, program: str = _PROGRAM) -> None:
    """Have a running worker started warm from now on, by a parent that runs `program`."""
    await worker.kill()
    worker._processes.stop()
    worker._processes = WarmProcesses(program)  # type: ignore[assignment]  # what a worker uses
    await worker.start()


def serve() -> None:
    """The parent of all: imports, then forks at each order until its stdin ends."""
    for module in _MODULES:
        import_module(module)
    ended: dict[int, int] = {}
    running: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            pid = os.fork()
            if pid == 0:
                _become(order)
            running.add(pid)
            answer: int | None = pid
        else:
            answer = _end(order, ended)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in running - ended.keys():
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


def _end(order: dict[str, Any], ended: dict[int, int]) -> int | None:
    """The exit code, None of one that still runs."""
    pid = order["pid"]
    if pid not in ended and order["do"] == "end":
        os.kill(pid, order["signal"])
    deadline = time.monotonic() + order.get("seconds", 0.0)
    while pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            ended[pid] = os.waitstatus_to_exitcode(status)
        elif order["do"] == "look":
            return None
        elif time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        else:
            time.sleep(0.005)
    return ended[pid]
