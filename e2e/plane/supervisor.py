"""The parent of a plane's processes: ends them all when the one who asked for them is gone.

Runs as a script of its own (standard library only, in a session of its own), because only another process can
outlive a caller that is killed. It is told what to do by JSON lines on stdin and answers each on stdout, repeating
its `id`:

    {"do": "start", "name": "etcd", "argv": [...], "environ": {...}, "log": "/.../etcd.log"}  -> {"pid": 7}
    {"do": "signal", "name": "etcd", "signal": 15, "wait_seconds": 10}                        -> {"code": 0}
    {"do": "status"}                                        -> {"children": {"etcd": {"pid": 7, "code": null}}}
    {"do": "stop"}                                                                            -> {}

The end of stdin, or another parent than at the start, means that the caller is gone: the children are killed and
the folders given as arguments are removed; one below /sys/fs/cgroup is a control group. With `--record=FILE` first,
that file goes last, if all the others are gone (`remains.py`). Should this process itself be killed, Linux kills its
children (PR_SET_PDEATHSIG).
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 1.0
_POLL_SECONDS = 0.01
_REMOVE_SECONDS = 20.0  # what ran in a namespace ends a moment after the process that made it
_CGROUPS = Path("/sys/fs/cgroup")
_RECORD = "--record="

Message = dict[str, Any]


def end_with_parent() -> Callable[[], None] | None:
    """A function for the child, between fork and exec, that binds its life to ours; None off Linux."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded here: nothing may be imported after the fork
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Children:
    """The processes, by name. A name may be started again once its process has ended."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._end_with_parent = end_with_parent()

    def start(self, name: str, argv: list[str], environ: dict[str, str], log: str) -> Message:
        """Start a process whose output is appended to `log`."""
        running = self._processes.get(name)
        if running is not None and running.poll() is None:
            return {"error": f"{name} runs already (process {running.pid})"}
        try:
            with Path(log).open("ab") as output:
                self._processes[name] = subprocess.Popen(
                    argv,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    preexec_fn=self._end_with_parent,  # noqa: PLW1509 - this process has one thread
                )
        except OSError as error:
            return {"error": f"{name} cannot be started: {error}"}
        return {"pid": self._processes[name].pid}

    def send(self, name: str, number: int, wait_seconds: float) -> Message:
        """Send a signal and wait for the end; SIGKILL when it does not come in time."""
        process = self._processes.get(name)
        if process is None:
            return {"error": f"{name} was never started"}
        process.send_signal(number)
        try:
            process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return {"code": process.returncode}

    def status(self) -> Message:
        """Process id and exit code (None: running) of each."""
        return {"children": {name: {"pid": p.pid, "code": p.poll()} for name, p in self._processes.items()}}

    def kill_all(self) -> None:
        """End all at once. None has state that outlives the plane, so there is nothing to be graceful about."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()


class Stopped(Exception):
    """The caller is gone, or asked for the end."""


def obey(children: Children, order: Message) -> Message:
    """Do what one line of stdin says. Raises Stopped."""
    match order.pop("do"):
        case "start":
            return children.start(**order)
        case "signal":
            return children.send(order["name"], order["signal"], order["wait_seconds"])
        case "status":
            return children.status()
        case "stop":
            raise Stopped
        case unknown:
            return {"error": f"unknown order {unknown!r}"}


def serve(children: Children) -> None:
    """Read orders until the caller is gone. Raises Stopped."""
    caller = os.getppid()
    pending = b""
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], _LOOK_SECONDS)
        children.status()  # reaps those that ended
        if not readable:
            if os.getppid() != caller:  # a forked copy of the caller may still hold the pipe open
                raise Stopped
            continue
        chunk = os.read(sys.stdin.fileno(), 1 << 16)
        if not chunk:
            raise Stopped
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            order = json.loads(line)
            number = order.pop("id", None)
            answer(obey(children, order) | {"id": number})


def answer(message: Message) -> None:
    """Write one line to the caller."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve, and whatever happens, end the children and remove the folder."""

    def stop(_number: int, _frame: object) -> None:
        raise Stopped

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    children = Children()
    try:
        serve(children)
    except Stopped:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        children.kill_all()
        clean_up(sys.argv[1:])
        try:
            answer({})
        except BrokenPipeError:  # the caller is gone
            os.close(sys.stdout.fileno())


def clean_up(arguments: Sequence[str]) -> None:
    """Remove what the command line names."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    folders = [Path(one) for one in arguments if not one.startswith(_RECORD)]
    for folder in folders:
        remove(folder, max(0.0, deadline - time.monotonic()))
    for record in arguments[:1]:
        if record.startswith(_RECORD):
            forget(Path(record.removeprefix(_RECORD)), folders)


def forget(record: Path, own: Iterable[Path]) -> None:
    """Remove a plane's record unless something of the plane is still there."""
    if not any(path.exists() for path in own):
        record.unlink(missing_ok=True)


def remove(folder: Path, limit_seconds: float = _REMOVE_SECONDS) -> None:
    """Remove a plane's own folder or control group, again while a process that is just ending still writes there."""
    deadline = time.monotonic() + limit_seconds
    while folder.exists():
        if folder.is_relative_to(_CGROUPS):
            remove_cgroup(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        if time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)


def remove_cgroup(folder: Path) -> None:
    """Remove a control group and those below it, as far as no process is in them."""
    for path, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


if __name__ == "__main__":
    main()
