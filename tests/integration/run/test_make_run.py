"""`python -m e2e.run` as a person starts it: a process, its exit code, what it prints, what it leaves behind."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from e2e.plane import kserve_wanted
from e2e.plane.admin import Admin
from e2e.prometheus.api import Api
from e2e.run.install import ROOT

pytestmark = [pytest.mark.plane, pytest.mark.timeout(480)]

_LIMIT_SECONDS = 200
_STOP_SECONDS = 60
_CLAIMS = "/apis/aim.amd.com/v1beta1/namespaces/team-chat/gpupartitionclaims"
_OPERATOR_TOKEN = "/api/v1/namespaces/aim-gpu-system/serviceaccounts/aim-gpu-operator/token"
_DEPLOYMENT = 'namespace="team-chat", service="gpt-oss-20b"'
_FIELDS = [
    "plane_ready_s",
    "services",
    "bound",
    "pending",
    "repartitions",
    "double_allocations",
    "rebinds",
    "mismatches",
    "claim_to_bound_p50_ms",
    "claim_to_bound_p99_ms",
    "kserve",
    "requests",
    "failed",
    "first_token_p50_ms",
    "first_token_p99_ms",
    "flood_refused",
    "neighbour_wait_p99_ms",
    "neighbour_wait_bound_ms",
    "guarantees_broken",
]


@dataclass
class Started:
    """A run under way, its output in two files, its temporary files in a folder of their own."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    temporary: Path
    kept: Path

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match in stderr."""
        deadline = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < deadline:
            found = re.search(pattern, self.err.read_text())
            if found is not None:
                return found
            assert self.process.poll() is None, f"it ended:\n{self.err.read_text()}"
            time.sleep(0.1)
        raise AssertionError(f"{pattern!r} did not come:\n{self.err.read_text()}")

    def end(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(_LIMIT_SECONDS)

    def last_line(self) -> dict[str, Any]:
        """The line of JSON."""
        found: dict[str, Any] = json.loads(self.out.read_text().splitlines()[-1])
        return found

    def descendants(self) -> list[psutil.Process]:
        """Every process that it has started by now, directly or not."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def started(folder: Path, *arguments: str, kserve: bool = False) -> Iterator[Started]:
    """The run; none of its processes outlives the block, also when the test fails. KServe only where it matters."""
    out, err, temporary, kept = (folder / name for name in ("out", "err", "temporary", "kept"))
    temporary.mkdir()
    environ = os.environ | {"TMPDIR": str(temporary), "KSERVE": "1" if kserve else "0"}
    with out.open("wb") as stdout, err.open("wb") as stderr:
        command = [sys.executable, "-m", "e2e.run", "--folder", str(kept), *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=stdout, stderr=stderr)
    try:
        yield Started(process, out, err, temporary, kept)
    finally:
        process.kill()
        process.wait()


@contextmanager
def several(
    factory: pytest.TempPathFactory, runs: Mapping[str, bool], *arguments: str
) -> Iterator[Mapping[str, Started]]:
    """Runs under way at once, by name, each with KServe or without: what each waits for, all wait for together."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(started(factory.mktemp("run"), *arguments, kserve=kserve))
            for name, kserve in runs.items()
        }


def operator(kubeconfig: str, folder: Path) -> Admin:
    """A client for the run's plane with the operator's rights: nobody else may write claims."""
    content = yaml.safe_load(Path(kubeconfig).read_text())
    authority = folder / "ca.crt"
    authority.write_bytes(base64.b64decode(content["clusters"][0]["cluster"]["certificate-authority-data"]))
    server = content["clusters"][0]["cluster"]["server"]
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = Admin(server, authority, content["users"][0]["user"]["token"]).create(_OPERATOR_TOKEN, request)
    return Admin(server, authority, answer["status"]["token"])


def alive(processes: list[psutil.Process]) -> list[str]:
    """Those that still run after a moment."""
    _, left = psutil.wait_procs(processes, timeout=20)
    return [str(process) for process in left if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def settling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, tuple[Started, list[psutil.Process]]]]:
    """Whole runs with all the processes that each had when its examples were applied."""
    wanted = {"KServe": True} if kserve_wanted() else {}
    with several(tmp_path_factory, wanted | {"no KServe": False}, "--once") as runs:
        for run in runs.values():
            run.wait_for("examples applied")
        yield {name: (run, run.descendants()) for name, run in runs.items()}


@pytest.mark.parametrize(
    ("name", "want_services", "want_through_kserve"),
    [
        pytest.param(
            *("KServe", 14, 9),
            id="KServe",
            marks=[pytest.mark.kserve, pytest.mark.skipif(not kserve_wanted(), reason="KSERVE=0 leaves it out")],
        ),
        pytest.param("no KServe", 12, 0, id="no KServe"),
    ],
)
def test_once_settles_and_ends_with_one_line_of_json(
    settling: Mapping[str, tuple[Started, list[psutil.Process]]],
    name: str,
    want_services: int,
    want_through_kserve: int,
) -> None:
    run, others = settling[name]
    assert run.end() == 0, run.err.read_text()
    line = run.last_line()
    assert list(line) == _FIELDS
    assert (line["services"], line["bound"], line["pending"]) == (want_services, want_services - 1, 1)
    told = run.err.read_text()
    assert (line["repartitions"], line["kserve"]) == (1, want_through_kserve), told
    assert (line["double_allocations"], line["rebinds"], line["mismatches"]) == (0, 0, 0)
    assert 0 < line["claim_to_bound_p50_ms"] <= line["claim_to_bound_p99_ms"]
    assert_requests_were_answered(line)
    assert len(others) >= 7
    assert not run.kept.exists()
    assert alive(others) == []
    assert_told_before_the_plane_is_built(told)
    assert re.search(r"export KUBECONFIG=\S+\n +\.venv/bin/aim-gpu ui ", told)


def assert_requests_were_answered(line: dict[str, Any]) -> None:
    """Every model's, and the neighbour's of a flooded one in time, by the engines' record."""
    assert line["requests"] > 50
    assert (line["failed"], line["guarantees_broken"]) == (0, 0)
    assert 0 < line["first_token_p50_ms"] <= line["first_token_p99_ms"]
    assert line["flood_refused"] > 0
    assert line["neighbour_wait_p99_ms"] > 0
    assert line["neighbour_wait_bound_ms"] > 0


def assert_told_before_the_plane_is_built(told: str) -> None:
    """The plan, and what is simulated."""
    before, _, _ = told.partition("starting the control plane")
    assert "simulated" in before
    assert "TooLargeForAnyGPU" in before
    assert "aim-gpu plan" in before


def test_a_planted_double_allocation_fails_the_run(tmp_path: Path) -> None:
    with started(tmp_path, "--once") as run:
        kubeconfig = run.wait_for(r"KUBECONFIG=(\S+)")[1]
        plant(operator(kubeconfig, tmp_path))
        assert run.end() == 1
        assert run.last_line()["double_allocations"] >= 1
        assert re.search(r"error: partition \S+ \S+ is held by .*team-chat/planted", run.err.read_text())


def plant(plane: Admin) -> None:
    """A second GPUPartitionClaim that says it holds what another one holds, again for as long as it is removed."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for claim in plane.get(_CLAIMS)["items"]:
            if claim.get("status", {}).get("phase") == "Allocated":
                planted = {key: claim[key] for key in ("apiVersion", "kind", "spec")}
                planted["metadata"] = {"name": "planted", "namespace": "team-chat"}
                plane.raw("POST", _CLAIMS, planted)
                present = plane.find(f"{_CLAIMS}/planted") or {}
                status, _ = plane.raw("PUT", f"{_CLAIMS}/planted/status", present | {"status": claim["status"]})
                if status == 200:
                    return
        time.sleep(0.1)
    raise AssertionError("no claim was allocated in time")


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(signal.SIGINT, "starting the control plane", id="ctrl-c while the plane starts"),
        pytest.param(signal.SIGTERM, "starting two replicas of the operator", id="sigterm while the operator starts"),
    ],
)
def test_a_run_that_is_interrupted_as_it_starts_leaves_nothing(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    with started(tmp_path) as run:
        run.wait_for(moment)
        _assert_ends_clean(run, number)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Started]]:
    """Runs by the moment at which they are interrupted."""
    with several(tmp_path_factory, {"examples applied": False, "is flooded": False}) as runs:
        yield runs


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("examples applied", id="ctrl-c while all runs"),
        pytest.param("is flooded", id="ctrl-c while a model is flooded"),
    ],
)
def test_an_interrupted_run_leaves_nothing(interrupted: Mapping[str, Started], moment: str) -> None:
    interrupted[moment].wait_for(moment)
    _assert_ends_clean(interrupted[moment], signal.SIGINT)


def _assert_ends_clean(run: Started, number: signal.Signals) -> None:
    others = run.descendants()
    run.process.send_signal(number)
    assert run.process.wait(_STOP_SECONDS) == 0, run.err.read_text()
    assert alive(others) == []
    assert list(run.temporary.iterdir()) == []
    assert not run.kept.exists()
    assert "Traceback" not in run.err.read_text()


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Started]]:
    """Runs by the program of which a process dies there."""
    with several(tmp_path_factory, {"operator": False, "kube-apiserver": False}, "--once") as runs:
        yield runs


@pytest.mark.parametrize("name", ["operator", "kube-apiserver"])
def test_a_process_that_dies_ends_the_run_with_its_log(dying: Mapping[str, Started], name: str) -> None:
    run = dying[name]
    run.wait_for("examples applied")
    others = run.descendants()
    next(child for child in others if name in map(os.path.basename, child.cmdline())).kill()
    assert run.end() == 1
    assert re.search(rf"{name}(-\d)? ended with -9; the last lines of its log:", run.err.read_text())
    assert run.out.read_text() == ""
    assert (run.kept / "operator-0.log").exists()
    assert alive(others) == []


@pytest.mark.needs_prometheus
@pytest.mark.usefixtures("prometheus_programs")
def test_a_prometheus_beside_reads_every_process_and_its_death_ends_the_run(tmp_path: Path) -> None:
    with started(tmp_path, "--once", "--prometheus") as run:
        api = Api(int(run.wait_for(r"has our rules: http://127\.0\.0\.1:(\d+)")[1]))
        jobs = ["agent", "exporter", "gateway", "operator", "operator"]
        reaches(lambda: sorted(one["labels"]["job"] for one in api.targets() if one["health"] == "up"), jobs)
        reaches(lambda: {rule["health"] for rule in api.rules()}, {"ok"})
        reaches(lambda: {one.labels["process"] for one in api.instant("aim_build_info")}, set(jobs))
        run.wait_for("examples applied")
        # an annotated Deployment goes by one name, whoever tells of it
        for family in ("aim_usage_partition_seconds_total", "aim_model_requests_total"):
            reaches(partial(told, api, f"{family}{{{_DEPLOYMENT}}} > 0"), want=True)
        others = run.descendants()
        next(child for child in others if "prometheus" in map(os.path.basename, child.cmdline())).kill()
        assert run.end() == 1
        assert re.search(r"prometheus ended with -9; the last lines of its log:", run.err.read_text())
        assert alive(others) == []


def told(api: Api, expression: str) -> bool:
    """Whether there is such a series now."""
    return bool(api.instant(expression))


def reaches(read: Callable[[], object], want: object) -> None:
    """Wait until it is `want`."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while (found := read()) != want and time.monotonic() < deadline:
        time.sleep(0.2)
    assert found == want


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with started(tmp_path, "--once") as run:
        assert run.end() == 1
        assert "cannot be made" in run.err.read_text()
        assert (tmp_path / "kept").exists()
