"""A plane beside the run's own one, whose processes are killed and restarted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from e2e.plane import ComponentDied, Plane, PlaneError, add_nodes, ensure_binaries
from tests.e2e.plane.refusals import refusals
from tests.e2e.plane.workloads import pod

pytestmark = pytest.mark.plane

ROOT = Path(__file__).parents[3]
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def fragile() -> Iterator[Plane]:
    with Plane() as started:
        add_nodes(started, ["fragile-0"])
        yield started


def run_pod(plane: Plane, name: str) -> None:
    plane.admin.create(PODS, pod(name))
    plane.wait_until(
        lambda: plane.admin.get(f"{PODS}/{name}")["status"]["phase"] == "Running", f"{name} is running", 30
    )


def test_two_planes_run_side_by_side(plane: Plane, fragile: Plane) -> None:
    assert plane.server != fragile.server
    assert plane.folder != fragile.folder
    fragile.admin.create("/api/v1/namespaces", {"metadata": {"name": "fragile-only"}})

    assert plane.admin.find("/api/v1/namespaces/fragile-only") is None
    assert plane.ca_pem != fragile.ca_pem


def test_a_restarted_apiserver_keeps_address_and_data(fragile: Plane) -> None:
    fragile.admin.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "kept"}})
    before = fragile.children()["kube-apiserver"].pid

    fragile.restart("kube-apiserver")

    assert fragile.children()["kube-apiserver"].pid != before
    assert fragile.admin.get("/api/v1/namespaces/default/configmaps/kept")
    run_pod(fragile, "after-apiserver")


def test_a_restarted_kwok_serves_its_nodes_at_once(fragile: Plane) -> None:
    fragile.kill("kwok")
    fragile.admin.create(PODS, pod("early"))
    fragile.check()

    fragile.start_component("kwok")

    fragile.wait_until(lambda: fragile.admin.get(f"{PODS}/early")["status"]["phase"] == "Running", "kwok is back", 15)


def test_etcd_comes_back_with_its_data(fragile: Plane) -> None:
    fragile.admin.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "stored"}})

    fragile.kill("etcd", signal.SIGKILL)
    fragile.start_component("etcd")

    assert fragile.admin.get("/api/v1/namespaces/default/configmaps/stored")


def test_a_dead_process_shows_the_last_lines_of_its_log(fragile: Plane) -> None:
    with fragile.log("kube-scheduler").open("a") as log:
        log.write("the last words\n")
    os.kill(fragile.children()["kube-scheduler"].pid, signal.SIGKILL)

    with pytest.raises(ComponentDied, match=r"kube-scheduler ended with -9[\s\S]*the last words"):
        fragile.wait_until(lambda: False, "never", 10)

    fragile.start_component("kube-scheduler")
    fragile.check()


def test_a_controller_without_its_rights_is_noticed(fragile: Plane) -> None:
    binding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/aim-plane-kwok"
    taken = fragile.admin.get(binding)
    before = len(refusals(fragile))  # an API server that starts refuses everybody until it has read the roles
    fragile.admin.delete(binding)

    fragile.restart("kwok")

    fragile.wait_until(lambda: len(refusals(fragile)) > before, "the refusal is seen", 20)
    assert "kwok-controller" in refusals(fragile)[-1]
    fragile.admin.create(binding.rpartition("/")[0], taken | {"metadata": {"name": "aim-plane-kwok"}})


def test_a_failed_start_shows_why_and_leaves_no_process(tmp_path: Path) -> None:
    failing = Plane(folder=tmp_path / "plane", arguments={"kube-apiserver": ["--no-such-flag"]})

    with pytest.raises(ComponentDied, match=r"kube-apiserver ended with 1[\s\S]*unknown flag: --no-such-flag"):
        failing.start()

    assert processes_of(tmp_path) == []


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()

    with pytest.raises(PlaneError, match="is not empty: name another"):
        Plane(folder=tmp_path, binaries=ensure_binaries()).start()

    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


async def test_an_async_caller_gets_a_plane_and_leaves_nothing(tmp_path: Path) -> None:
    async with Plane(folder=tmp_path / "plane") as started:
        assert started.admin.ready()
        assert len(processes_of(tmp_path)) == 5

    assert processes_of(tmp_path) == []
    assert started.audit_log.exists(), "a given folder is kept"


def test_kill_9_of_the_command_line_leaves_no_process(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    command: list[str | Path] = [sys.executable, "-m", "e2e.plane", "--kubeconfig", kubeconfig, "--nodes", "1"]
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as person:
        assert person.stdout is not None
        told = [person.stdout.readline() for _ in range(5)]
        assert f"  export KUBECONFIG={kubeconfig}\n" in told
        assert "simulated by KWOK" in "".join(told)
        assert len(processes_of(tmp_path)) == 5

        os.kill(person.pid, signal.SIGKILL)

    wait_for_none(tmp_path)
    assert list(tmp_path.glob("aim-plane-*")) == []


def test_a_second_plane_does_not_take_over_a_kubeconfig_in_use(plane: Plane) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "e2e.plane", "--kubeconfig", plane.kubeconfig],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 1
    assert "belongs to a plane that is running" in second.stderr


def test_statistics_tell_time_and_memory(plane: Plane) -> None:
    statistics = plane.statistics

    assert 0 < statistics.ready_seconds < 60
    assert set(statistics.resident_bytes) == set(plane.children())
    assert json.dumps(dict(statistics.resident_bytes))


def processes_of(folder: Path) -> list[psutil.Process]:
    """The components whose command line names the folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or []) and "python" not in process.name()
    ]


def wait_for_none(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while any(folder.glob("aim-plane-*")) or processes_of(folder):
        assert time.monotonic() < deadline, "processes or folders are left"
        time.sleep(0.05)
