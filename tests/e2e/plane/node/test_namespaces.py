"""A node's namespaces and what is started into them, with small programs in the place of containerd and kubelet."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from e2e.plane.node.commands import namespaces, write_own_folders
from e2e.plane.node.real_node import RealNode

pytestmark = [pytest.mark.needs_kubelet, pytest.mark.xdist_group("real nodes")]


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RealNode]:
    """A node of which only the namespaces are there."""
    made = RealNode("real-1", 1, tmp_path, "198.18.0.11", tmp_path / "ctr")
    settings = {"vm/panic_on_oom": "42"}
    write_own_folders(made, settings)
    command = namespaces(made, settings)
    with subprocess.Popen(command) as maker:
        made.maker_file.write_text(str(maker.pid))
        assert eventually(made.ready_file.exists)
        yield made
        maker.kill()


def output(node: RealNode, script: str) -> str:
    return subprocess.run(node.command("sh", "-c", script), capture_output=True, text=True, check=True).stdout


def test_a_program_sees_the_node_and_not_the_host(node: RealNode) -> None:
    script = "hostname; cat /proc/sys/vm/panic_on_oom; ls /run /var/lib /var/log; ls /sys/class/net >/dev/null; cat /proc/net/dev"

    told = output(node, script).splitlines()

    assert told[:2] == ["real-1", "42"]
    assert told[2:7] == ["/run:", "", "/var/lib:", "", "/var/log:"]
    assert [line.split(":")[0].strip() for line in told[7:] if ":" in line] == ["lo"]
    assert Path("/proc/sys/vm/panic_on_oom").read_text() != "42\n"


def test_what_a_program_writes_is_found_from_the_host(node: RealNode) -> None:
    output(node, "mkdir -p /var/lib/kubelet && echo here > /var/lib/kubelet/file")

    assert node.on_host("/var/lib/kubelet/file").read_text() == "here\n"
    assert not Path("/var/lib/kubelet/file").exists()


@pytest.mark.parametrize(("script", "want"), [("exit 7", 7), ("kill -KILL $$", 137), ("true", 0)])
def test_the_exit_code_is_the_programs(node: RealNode, script: str, want: int) -> None:
    assert subprocess.run(node.command("sh", "-c", script), check=False).returncode == want


def test_a_program_that_is_not_there_is_an_error(node: RealNode) -> None:
    done = subprocess.run(node.command("no-such-program"), capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "no-such-program" in done.stderr


def test_a_signal_is_passed_on(node: RealNode) -> None:
    script = "trap 'echo asked; exit 3' TERM; echo ready; while true; do sleep 0.05; done"
    with subprocess.Popen(node.command("sh", "-c", script), stdout=subprocess.PIPE, text=True) as entered:
        assert entered.stdout is not None
        assert entered.stdout.readline() == "ready\n"
        entered.terminate()

        assert entered.stdout.readline() == "asked\n"
    assert entered.returncode == 3


def test_a_program_ends_with_the_process_that_brought_it_in(node: RealNode) -> None:
    with subprocess.Popen(node.command("sleep", "1000")) as entered:
        assert eventually(lambda: bool(psutil.Process(entered.pid).children()))
        program = psutil.Process(entered.pid).children()[0]
        entered.kill()

    assert eventually(lambda: not program.is_running())


def test_everything_ends_with_the_process_that_made_the_namespaces(node: RealNode) -> None:
    orphan = "sleep 1000 >/dev/null 2>&1 & echo $(readlink /proc/self/ns/pid)"
    namespace = output(node, orphan).strip()
    inside = [p for p in psutil.pids() if pid_namespace(p) == namespace]
    assert len(inside) == 2  # the first process, and what the shell left behind

    os.kill(int(node.maker_file.read_text()), signal.SIGKILL)

    assert eventually(lambda: not [p for p in psutil.pids() if pid_namespace(p) == namespace])


def test_orphans_are_reaped(node: RealNode) -> None:
    namespace = output(node, "(sleep 0.1 &) ; echo $(readlink /proc/self/ns/pid)").strip()

    assert eventually(lambda: len([p for p in psutil.pids() if pid_namespace(p) == namespace]) == 1)


def pid_namespace(pid: int) -> str | None:
    """None for a process that has just ended, too."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None
