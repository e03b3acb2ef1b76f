"""The caller's end of a supervisor: starts it, gives it orders, reads its answers.

The pipe to it is what ties the plane to this process: when we end, however that happens, the supervisor reads the
end of its stdin and ends everything.
"""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from e2e.plane import supervisor
from e2e.plane.errors import PlaneError
from e2e.plane.remains import Record

_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the plane; `code` is None while it runs, negative for the signal that ended it."""

    pid: int
    code: int | None


class Processes:
    """The processes of one plane. Safe to use from several threads."""

    def __init__(self, log: Path, *, remove: Sequence[Path] = (), record: Record | None = None) -> None:
        """`log` takes what the supervisor itself has to say; `remove` are removed when the processes have ended.

        `record` is the plane's, which the supervisor then holds as well.
        """
        self._lock = threading.Lock()
        self._stopped = False
        self._orders = 0
        script = Path(supervisor.__file__)
        told = [f"--record={record.path}"] if record is not None else []
        with log.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", script, *told, *remove],
                pass_fds=[record.descriptor] if record is not None else [],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,  # an order that could not be sent must not be sent later
                start_new_session=True,  # Ctrl-C in a terminal is for the caller, who then stops the plane
            )

    @property
    def supervisor_pid(self) -> int:
        """The parent of all processes of the plane."""
        return self._supervisor.pid

    def start(self, name: str, argv: Sequence[str], environ: Mapping[str, str], log: Path) -> int:
        """Start a process and give its id. Raises PlaneError when it runs already or cannot be executed."""
        order = {"do": "start", "name": name, "argv": list(argv), "environ": dict(environ), "log": str(log)}
        pid: int = self._ask(order)["pid"]
        return pid

    def end(self, name: str, number: signal.Signals, wait_seconds: float) -> int:
        """Send a signal, wait, kill what does not end in time, and give the exit code."""
        code: int = self._ask({"do": "signal", "name": name, "signal": number.value, "wait_seconds": wait_seconds})[
            "code"
        ]
        return code

    def children(self) -> dict[str, Child]:
        """Every process that was started, by name."""
        return {name: Child(**child) for name, child in self._ask({"do": "status"})["children"].items()}

    def stop(self) -> None:
        """End all processes and the supervisor. Does nothing the second time."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            # Closing stdin would do, were no copy of the pipe open elsewhere; the order works in any case.
            try:
                self._supervisor.communicate(b'{"do": "stop"}\n', timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()  # its children are bound to it
                self._supervisor.communicate()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._stopped:
                raise PlaneError(f"cannot {order['do']} {order.get('name', '')}: the plane is stopped")
            stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
            assert stdin is not None
            assert stdout is not None
            try:
                self._orders += 1
                stdin.write(json.dumps(order | {"id": self._orders}).encode() + b"\n")
                stdin.flush()
                reply = self._answer(stdout)
            except OSError as error:
                raise PlaneError(f"the plane's supervisor is gone: {error}") from error
        if "error" in reply:
            raise PlaneError(reply["error"])
        return reply

    def _answer(self, stdout: IO[bytes]) -> dict[str, Any]:
        """The answer to the last order; one to an earlier order that was interrupted is dropped."""
        while line := stdout.readline():
            reply: dict[str, Any] = json.loads(line)
            if reply.get("id") == self._orders:
                return reply
        raise PlaneError("the plane's supervisor has ended, and with it the plane")
