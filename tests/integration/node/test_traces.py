"""Nothing of a real node stays behind, however its plane ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from e2e.plane import Plane
from tests.integration.node.host import host_state, namespaces, own_names, processes_of
from tests.integration.node.workloads import container, pod, run

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet, pytest.mark.node_e2e]

ROOT = Path(__file__).parents[3]
LIMIT_SECONDS = 60.0
CALLER = """
import json, time
from e2e.plane import Plane
from tests.integration.node.host import namespaces, own_names
from tests.integration.node.workloads import container, pod, run
with Plane(real_nodes=1) as plane:
    run(plane, "default", pod("steady", container("sleep 1000")))
    made = sorted(namespaces(plane.children()[plane.nodes[0].name].pid))
    print(json.dumps([plane.supervisor_pid, str(plane.folder), made, own_names(plane)]), flush=True)
    time.sleep(1000)
"""


def eventually(found: Callable[[], object]) -> object:
    """What is found once it is empty, or at the limit: the kernel takes its time to end namespaces."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while (rest := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return rest


def test_a_plane_shows_what_it_adds_and_leaves_nothing_when_it_is_stopped() -> None:
    before = host_state()

    with Plane(real_nodes=1) as plane:
        run(plane, "default", pod("steady", container("sleep 1000")))
        own = own_names(plane)
        made = namespaces(plane.children()[plane.nodes[0].name].pid)
        added = host_state().new_since(before, own)
        running = processes_of(plane.folder, made)

    assert {"network", "control_groups"} <= set(added)  # or else nothing is proved by what follows
    assert not {"mounts", "settings"} & set(added)
    assert any("containerd-shim" in line for line in running)
    assert host_state().new_since(before, own) == {}
    assert processes_of(plane.folder, made) == []
    assert not plane.folder.exists()


def test_nothing_stays_when_the_supervisor_is_killed() -> None:
    before = host_state()

    with Plane(real_nodes=1) as plane:
        run(plane, "default", pod("steady", container("sleep 1000")))
        own = own_names(plane)
        made = namespaces(plane.children()[plane.nodes[0].name].pid)
        os.kill(plane.supervisor_pid, signal.SIGKILL)
        assert eventually(lambda: processes_of(plane.folder, made)) == []

    assert host_state().new_since(before, own) == {}
    assert not plane.folder.exists()


def killed_caller(*, first_its_supervisor: bool = False) -> tuple[int, Path, frozenset[str], Sequence[str]]:
    """A caller with a pod on its plane is killed; gives the supervisor, the plane's folder, namespaces and names."""
    with subprocess.Popen([sys.executable, "-c", CALLER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        supervisor, folder, made, own = json.loads(caller.stdout.readline())
        if first_its_supervisor:
            os.kill(caller.pid, signal.SIGSTOP)  # or else it might see the end and clean up
            os.kill(supervisor, signal.SIGKILL)
        caller.kill()
    return supervisor, Path(folder), frozenset(made), own


def test_nothing_stays_when_the_caller_is_killed() -> None:
    before = host_state()

    supervisor, folder, made, own = killed_caller()

    assert eventually(lambda: psutil.pid_exists(supervisor)) is False
    assert eventually(lambda: processes_of(folder, made)) == []
    assert eventually(lambda: host_state().new_since(before, own)) == {}
    assert not folder.exists()


def test_what_stays_when_caller_and_supervisor_are_killed_goes_when_the_next_plane_starts() -> None:
    before = host_state()

    _, folder, made, own = killed_caller(first_its_supervisor=True)

    assert eventually(lambda: processes_of(folder, made)) == []
    assert eventually(lambda: set(host_state().new_since(before, own)) - {"control_groups"}) == set()
    assert "control_groups" in host_state().new_since(before, own)  # or else nothing is proved by what follows
    assert folder.exists()
    with Plane():
        assert host_state().new_since(before, own) == {}
        assert not folder.exists()
