"""install.sh: what it refuses before it changes anything, and that it installs and uninstalls on a real API server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from e2e.chart import CHART
from e2e.plane import Plane, add_nodes

SCRIPT = CHART.parent / "install" / "install.sh"
TOOLS = Path(sys.executable).parent
LIMIT_SECONDS = 100

VERSION_ONLY = """#!/bin/sh
case "$*" in *"--raw /version"*) echo '{"major": "1", "minor": "MINOR+"}' ;; *) echo "$*" >> "$ASKED" ;; esac
"""


def run(*arguments: str, path: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments, programs of `path` first."""
    found = os.pathsep.join([*([str(path)] if path else []), str(TOOLS), "/usr/bin", "/bin"])
    return subprocess.run(
        [str(SCRIPT), *arguments],
        env={"PATH": found, "HOME": "/nonexistent", **environ},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def test_shellcheck_finds_no_fault() -> None:
    done = subprocess.run(
        [TOOLS / "shellcheck", "--severity=style", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_it_tells_how_it_is_used() -> None:
    done = run("--help")

    assert done.returncode == 0
    assert "--dry-run" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--contxt", "here"], "--contxt: is no option"),
        (["--context"], "--context: needs a value"),
        (["--manifest", "/nowhere.yaml"], "--manifest /nowhere.yaml: cannot be read"),
        (["--timeout", "3h"], "--timeout 3h: is no duration; write seconds or minutes"),
        (["--timeout", "0s"], "--timeout 0s: is no duration"),
        (["--timeout", "00m"], "--timeout 00m: is no duration"),
        (["--timeout", "m"], "--timeout m: is no duration"),
        (["--delete-crds"], "--delete-crds: is read with --uninstall alone"),
        (["--gated-pods", "ungate"], "--gated-pods ungate: is read with --uninstall alone"),
        (["--uninstall", "--gated-pods", "keep"], "--gated-pods keep: is neither delete nor ungate"),
    ],
    ids=[
        "an option that is none",
        "a value that is missing",
        "a file that is not there",
        "a duration of another unit",
        "no time at all",
        "no time in two digits",
        "a unit alone",
        "definitions without an uninstall",
        "gated pods without an uninstall",
        "a third fate of gated pods",
    ],
)
def test_it_refuses_what_it_does_not_know(arguments: list[str], told: str) -> None:
    done = run(*arguments)

    assert done.returncode == 1
    assert told in done.stderr


def test_it_refuses_a_cluster_that_is_too_old_and_changes_nothing(tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(VERSION_ONLY.replace("MINOR", "33"))
    kubectl.chmod(0o755)

    done = run(path=tmp_path, ASKED=str(tmp_path / "asked"))

    assert done.returncode == 1
    assert "Kubernetes 1.33: too old" in done.stderr
    assert not (tmp_path / "asked").exists()


def test_it_asks_for_that_context_alone(tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(VERSION_ONLY.replace("MINOR", "34"))
    kubectl.chmod(0o755)

    done = run("--context", "there", path=tmp_path, ASKED=str(tmp_path / "asked"))

    asked = (tmp_path / "asked").read_text().splitlines()
    assert done.returncode == 0, done.stderr
    assert [line for line in asked if not line.startswith("--context there ")] == []
    assert [line.split()[2] for line in asked] == [
        *("get", "get", "get"),
        *("apply", "wait", "rollout"),
    ]


def kubectl_that(folder: Path, *cases: str) -> dict[str, str]:
    """A stand-in for kubectl, first on the script's path: it notes what it is asked, and answers by shell cases."""
    program = folder / "kubectl"
    answers = "\n".join(f"    {case} ;;" for case in cases)
    program.write_text(f'#!/bin/sh\necho "$*" >>"$ASKED"\ncase "$*" in\n{answers}\n    *) : ;;\nesac\n')
    program.chmod(0o755)
    return {"ASKED": str(folder / "asked")}


THERE = "*'get -l'*'-o name -f'*) echo deployment.apps/aim-gpu-operator"
NEW_ENOUGH = """*'--raw /version'*) echo '{"minor": "34"}'"""
OTHERS_CLASS = ("*'get deviceclass'*'-o name') echo deviceclass/gpu.amd.com", "*go-template*) printf 'helm '")
TWO_OBJECTS = "*'create --dry-run'*) printf '%s\\n' 'kind: Service' '---' 'kind: DeviceClass' '---' 'kind: Role'"


def changes(folder: Path) -> list[str]:
    """What the stand-in was asked to change."""
    asked = (folder / "asked").read_text().splitlines()
    return [line for line in asked if line.startswith(("apply", "delete", "create namespace"))]


def test_it_leaves_alone_what_helm_installed(tmp_path: Path) -> None:
    told = kubectl_that(tmp_path, THERE, "*managed-by*) echo Helm")

    done = run("--uninstall", path=tmp_path, **told)

    assert (done.returncode, changes(tmp_path)) == (1, [])
    assert "use: helm uninstall" in done.stderr


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["to install", "to try it"])
def test_it_takes_nothing_away_from_helm(tmp_path: Path, options: list[str]) -> None:
    told = kubectl_that(tmp_path, NEW_ENOUGH, "*managed-by*) echo Helm")

    done = run(*options, path=tmp_path, **told)

    assert (done.returncode, changes(tmp_path)) == (1, [])
    assert "use: helm upgrade, or helm uninstall first" in done.stderr


def test_a_device_class_of_somebody_elses_is_not_applied(tmp_path: Path) -> None:
    told = kubectl_that(tmp_path, NEW_ENOUGH, *OTHERS_CLASS, TWO_OBJECTS, "'apply '*) cat")

    done = run(path=tmp_path, **told)

    assert done.returncode == 0, done.stderr
    assert "DeviceClass gpu.amd.com is somebody else's and stays as it is (written by: helm)\n" in done.stdout
    assert "kind: Service\n---\nkind: Role\n" in done.stdout
    assert changes(tmp_path) == ["apply --server-side --force-conflicts --field-manager=aim-gpu-install -f -"]


def test_a_device_class_of_somebody_elses_is_not_deleted(tmp_path: Path) -> None:
    told = kubectl_that(tmp_path, THERE, *OTHERS_CLASS, TWO_OBJECTS, "'delete -l'*'-f -') cat")

    done = run("--uninstall", "--no-release", path=tmp_path, **told)

    assert done.returncode == 0, done.stderr
    assert "kind: Service\n---\nkind: Role\n" in done.stdout
    assert "kind: DeviceClass" not in done.stdout
    assert "kept: DeviceClass gpu.amd.com, which is not ours alone (written by: helm)" in done.stdout
    assert [line for line in changes(tmp_path) if "install.yaml" in line] == []


def test_it_says_so_where_anything_could_not_be_deleted(tmp_path: Path) -> None:
    told = kubectl_that(tmp_path, THERE, "'delete -l'*exporter.yaml) exit 1")

    done = run("--uninstall", "--no-release", path=tmp_path, **told)

    assert done.returncode == 1
    assert "not all of it could be deleted" in done.stderr


@pytest.mark.parametrize(
    ("state", "want"),
    [("FailureTarget Failed ", "failed, and nothing was deleted"), ("", "has not ended after")],
    ids=["it failed", "it never ended"],
)
def test_nothing_is_deleted_where_the_job_did_not_do_its_work(tmp_path: Path, state: str, want: str) -> None:
    told = kubectl_that(
        tmp_path,
        THERE,
        f"'get job'*) echo '{state}'",
        "'logs --selector batch.kubernetes.io/job-name=aim-gpu-release'*) echo 'error: pods is forbidden'",
        "'create --dry-run'*) echo '--gated-pods=delete'",
    )
    sleep = tmp_path / "sleep"
    sleep.write_text("#!/bin/sh\n")
    sleep.chmod(0o755)

    done = run("--uninstall", "--timeout", "1s", path=tmp_path, **told)

    assert done.returncode == 1
    assert f"Job aim-gpu-system/aim-gpu-release {want}" in done.stderr
    assert ("error: pods is forbidden" in done.stdout) == bool(state)
    assert [line.split()[:2] for line in changes(tmp_path)] == [["delete", "job"], ["apply", "--server-side"]]


def test_it_says_where_the_job_is_to_be(tmp_path: Path) -> None:
    alone = tmp_path / "install.yaml"
    alone.write_text("")
    told = kubectl_that(tmp_path, THERE)

    done = run("--uninstall", "--manifest", str(alone), path=tmp_path, **told)

    assert (done.returncode, changes(tmp_path)) == (1, [])
    assert f"{tmp_path}/release.yaml: cannot be read; put release.yaml there, or run" in done.stderr


@pytest.mark.parametrize(
    ("given", "each", "whole"), [("2m", 24, 120), ("30m", 360, 1800), ("08m", 96, 480), ("09s", 1, 9), ("3s", 1, 3)]
)
def test_the_job_gets_what_was_said_of_gated_pods_and_its_time(
    tmp_path: Path, given: str, each: int, whole: int
) -> None:
    told = kubectl_that(
        tmp_path,
        THERE,
        "'get job'*) echo 'SuccessCriteriaMet Complete '",
        "'create --dry-run'*) printf '%s\\n' '- --gated-pods=delete' '- --limit=60' 'activeDeadlineSeconds: 300'",
        "'apply '*) cat",
    )

    done = run("--uninstall", "--gated-pods", "ungate", "--timeout", given, path=tmp_path, **told)

    assert done.returncode == 0, done.stderr
    assert f"- --gated-pods=ungate\n- --limit={each}\nactiveDeadlineSeconds: {whole}\n" in done.stdout


def test_somebody_who_ran_the_release_may_leave_the_job_out(tmp_path: Path) -> None:
    done = run("--uninstall", "--no-release", path=tmp_path, **kubectl_that(tmp_path, THERE))

    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in changes(tmp_path)} == {"delete"}
    assert "aim-gpu-release" not in "".join(changes(tmp_path))


GROUPS = {
    "resource.k8s.io": ("DeviceClass", "deviceclasses"),
    "rbac.authorization.k8s.io": ("ClusterRole", "clusterroles"),
}
OUR_LABELS: dict[str, Any] = {"f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/part-of": {}}
BY_US = {"manager": "aim-gpu-install", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": OUR_LABELS}}}
BY_HAND = {**BY_US, "manager": "kubectl"}
BY_HELM = {
    "manager": "helm",
    "operation": "Update",
    "fieldsV1": {"f:metadata": {"f:labels": {"f:helm.sh/chart": {}}}, "f:spec": {"f:selectors": {}}},
}
OF_SPEC = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:selectors": {}}}}


def answers(writers: list[dict[str, Any]]) -> dict[str, Any]:
    """What an API server answers by path: two kinds, and one DeviceClass that these wrote."""
    versions = {group: {"groupVersion": f"{group}/v1", "version": "v1"} for group in GROUPS}
    groups = [{"name": group, "versions": [one], "preferredVersion": one} for group, one in versions.items()]
    found: dict[str, Any] = {
        "/version": {"major": "1", "minor": "35"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        "/apis/resource.k8s.io/v1/deviceclasses/gpu.amd.com": {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": "gpu.amd.com", "managedFields": writers},
        },
    }
    for group, (kind, plural) in GROUPS.items():
        resource = {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["get"]}
        found[f"/apis/{group}/v1"] = {
            "kind": "APIResourceList",
            "groupVersion": f"{group}/v1",
            "resources": [resource],
        }
    return found


@contextmanager
def serving(found: dict[str, Any]) -> Iterator[str]:
    """The URL of a server that answers so, and that nothing else is there."""
    missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = found.get(self.path.partition("?")[0])
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer or missing).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("writers", "told"),
    [
        ([BY_US], ""),
        ([BY_HAND, BY_US], ""),
        ([BY_HELM], "helm"),
        ([BY_HELM, BY_US], "helm"),
        ([BY_US, OF_SPEC], "kubectl-edit"),
        ([], "somebody"),
    ],
    ids=["ours", "ours by hand", "AMD's", "AMD's that was taken over", "ours that was changed", "nobody knows whose"],
)
def test_whose_a_device_class_is_by_who_wrote_it(tmp_path: Path, writers: list[dict[str, Any]], told: str) -> None:
    with serving(answers(writers)) as server:
        kubeconfig = tmp_path / "kubeconfig"
        cluster = {"name": "here", "cluster": {"server": server}}
        context = {"name": "here", "context": {"cluster": "here", "user": ""}}
        kubeconfig.write_text(json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "here"}))
        done = run("--dry-run", KUBECONFIG=str(kubeconfig), HOME=str(tmp_path))

    said = f"DeviceClass gpu.amd.com is somebody else's and stays as it is (written by: {told})\n" if told else ""
    assert (done.stdout, "--dry-run: namespace aim-gpu-system is not there" in done.stderr) == (said, True), done.stderr


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OF_US = "app.kubernetes.io/part-of=aim-gpu-sharing"
EVERYWHERE = (
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/resource.k8s.io/v1/deviceclasses",
    "/api/v1/namespaces",
)


def left(plane: Plane, *paths: str) -> list[str]:
    """Names of our objects that belong to no namespace."""
    return [
        one["metadata"]["name"] for path in paths for one in plane.admin.get(f"{path}?labelSelector={OF_US}")["items"]
    ]


@pytest.mark.plane
@pytest.mark.timeout(300)
def test_it_installs_and_uninstalls_and_each_of_them_again() -> None:
    with Plane() as plane:
        add_nodes(plane, ["node-0"])
        kubeconfig = str(plane.kubeconfig)

        first = run(KUBECONFIG=kubeconfig)
        tried = run("--dry-run", KUBECONFIG=kubeconfig)
        again = run(KUBECONFIG=kubeconfig)

        assert first.returncode == 0, first.stderr
        assert "aim-gpu-sharing is installed" in first.stdout
        assert (tried.returncode, again.returncode) == (0, 0), tried.stderr + again.stderr
        assert plane.admin.get("/apis/apps/v1/namespaces/aim-gpu-system/deployments/aim-gpu-operator")
        kubectl = [str(TOOLS / "kubectl"), "--kubeconfig", kubeconfig, "apply", "--server-side", "-f"]
        subprocess.run([*kubectl, str(SCRIPT.with_name("gateway.yaml"))], capture_output=True, timeout=60, check=True)
        before = left(plane, *EVERYWHERE, CRDS)

        listed = run("--uninstall", "--dry-run", KUBECONFIG=kubeconfig)
        assert listed.returncode == 0, listed.stderr
        assert "would be deleted: deployment.apps/aim-gpu-gateway" in listed.stdout
        assert "customresourcedefinition" not in listed.stdout
        assert left(plane, *EVERYWHERE, CRDS) == before

        gone = run("--uninstall", KUBECONFIG=kubeconfig)
        assert gone.returncode == 0, gone.stderr
        assert left(plane, *EVERYWHERE) == ["aim-gpu-gateway"]
        assert len(left(plane, CRDS)) == 6
        assert "kept: inferenceservices.aim.amd.com with 0 objects" in gone.stdout
        assert "kept: namespace aim-gpu-gateway" in gone.stdout

        twice = run("--uninstall", KUBECONFIG=kubeconfig)
        assert twice.returncode == 0, twice.stderr
        assert "nothing of aim-gpu-sharing runs here" in twice.stdout
        whole = run("--uninstall", "--delete-crds", KUBECONFIG=kubeconfig)
        assert whole.returncode == 0, whole.stderr
        assert left(plane, *EVERYWHERE, CRDS) == ["aim-gpu-gateway"]
        assert "with 0 objects" not in whole.stdout
