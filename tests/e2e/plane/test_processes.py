"""The supervisor with small programs in the place of a control plane."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from e2e.plane.errors import PlaneError
from e2e.plane.processes import Processes

ROOT = Path(__file__).parents[3]
ENVIRON = {"PATH": os.defpath}

CALLER = """
import os, sys, time
from pathlib import Path
from e2e.plane.processes import Processes
folder = Path(sys.argv[1])
own = folder / "own"
own.mkdir()
processes = Processes(folder / "supervisor.log", remove=[own])
child = processes.start("sleeper", ["sleep", "100"], {"PATH": os.defpath}, own / "log")
if sys.argv[2] == "forks" and os.fork() == 0:
    time.sleep(100)  # holds a copy of the pipe to the supervisor
print(processes.supervisor_pid, child, flush=True)
if sys.argv[2] == "raises":
    raise SystemExit("crashed")
time.sleep(100)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path / "supervisor.log")
    yield started
    started.stop()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def start_caller(folder: Path, behaviour: str) -> tuple[subprocess.Popen[str], list[int]]:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, folder, behaviour], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert caller.stdout is not None
    return caller, [int(pid) for pid in caller.stdout.readline().split()]


def test_a_process_is_started_signalled_and_started_again(processes: Processes, tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = processes.start("a", ["sh", "-c", "echo hello; exec sleep 100"], ENVIRON, log)
    assert eventually(lambda: log.exists() and log.read_text() == "hello\n")

    assert processes.end("a", signal.SIGTERM, 5) == -signal.SIGTERM
    second = processes.start("a", ["sleep", "100"], ENVIRON, log)

    assert processes.children()["a"].pid == second != first
    assert processes.children()["a"].code is None


def test_one_that_ignores_the_signal_is_killed(processes: Processes, tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes.start("a", ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"], ENVIRON, log)
    assert eventually(lambda: log.read_text() == "deaf\n")

    assert processes.end("a", signal.SIGTERM, 0.2) == -signal.SIGKILL


def test_the_exit_code_of_one_that_died_is_kept(processes: Processes, tmp_path: Path) -> None:
    processes.start("a", ["sh", "-c", "exit 7"], ENVIRON, tmp_path / "log")

    assert eventually(lambda: processes.children()["a"].code == 7)


def test_a_name_cannot_run_twice(processes: Processes, tmp_path: Path) -> None:
    processes.start("a", ["sleep", "100"], ENVIRON, tmp_path / "log")

    with pytest.raises(PlaneError, match="a runs already"):
        processes.start("a", ["sleep", "100"], ENVIRON, tmp_path / "log")


def test_a_program_that_does_not_exist_is_an_error_and_not_the_end(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(PlaneError, match="/no/such/program"):
        processes.start("a", ["/no/such/program"], ENVIRON, tmp_path / "log")

    assert processes.children() == {}


def test_stop_leaves_no_process_and_nothing_can_be_started_after_it(processes: Processes, tmp_path: Path) -> None:
    pids = [processes.start(name, ["sleep", "100"], ENVIRON, tmp_path / name) for name in "abc"]

    processes.stop()
    processes.stop()

    assert all(gone(pid) for pid in [*pids, processes.supervisor_pid])
    with pytest.raises(PlaneError, match="the plane is stopped"):
        processes.start("d", ["sleep", "100"], ENVIRON, tmp_path / "d")


def test_the_death_of_the_supervisor_takes_its_children_along(processes: Processes, tmp_path: Path) -> None:
    child = processes.start("a", ["sleep", "100"], ENVIRON, tmp_path / "log")

    os.kill(processes.supervisor_pid, signal.SIGKILL)

    assert eventually(lambda: gone(child))
    with pytest.raises(PlaneError, match="supervisor"):
        processes.children()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_no_process_and_no_folder_outlives_a_caller_that_is_ended(number: signal.Signals, tmp_path: Path) -> None:
    caller, pids = start_caller(tmp_path, "sleeps")

    os.kill(caller.pid, number)
    caller.communicate()

    assert eventually(lambda: all(gone(pid) for pid in pids))
    assert not (tmp_path / "own").exists()


def test_no_process_outlives_a_caller_that_crashes(tmp_path: Path) -> None:
    caller, pids = start_caller(tmp_path, "raises")
    caller.communicate()

    assert eventually(lambda: all(gone(pid) for pid in pids))


def test_no_process_outlives_a_caller_whose_pipe_a_forked_copy_holds_open(tmp_path: Path) -> None:
    caller, pids = start_caller(tmp_path, "forks")
    copy = next(child for child in psutil.Process(caller.pid).children() if child.pid not in pids)

    os.kill(caller.pid, signal.SIGKILL)

    assert eventually(lambda: all(gone(pid) for pid in pids))
    copy.kill()
    caller.communicate()
