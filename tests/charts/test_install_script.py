"""install.sh: what it refuses before it changes anything, and that it installs and uninstalls on a real API server."""

import os
import subprocess
import sys
from pathlib import Path

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
    assert [line.split()[2] for line in asked] == ["get", "apply", "wait", "rollout"]


def kubectl_that(folder: Path, *cases: str) -> dict[str, str]:
    """A stand-in for kubectl, first on the script's path: it notes what it is asked, and answers by shell cases."""
    program = folder / "kubectl"
    answers = "\n".join(f"    {case} ;;" for case in cases)
    program.write_text(f'#!/bin/sh\necho "$*" >>"$ASKED"\ncase "$*" in\n{answers}\n    *) : ;;\nesac\n')
    program.chmod(0o755)
    return {"ASKED": str(folder / "asked")}


THERE = "*'get -f'*'-o name'*) echo deployment.apps/aim-gpu-operator"


def changes(folder: Path) -> list[str]:
    """What the stand-in was asked to change."""
    asked = (folder / "asked").read_text().splitlines()
    return [line for line in asked if line.startswith(("apply", "delete", "create namespace"))]


def test_it_leaves_alone_what_helm_installed(tmp_path: Path) -> None:
    told = kubectl_that(tmp_path, THERE, "*managed-by*) echo Helm")

    done = run("--uninstall", path=tmp_path, **told)

    assert (done.returncode, changes(tmp_path)) == (1, [])
    assert "use: helm uninstall" in done.stderr


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
        "'logs job'*) echo 'error: pods is forbidden'",
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


def test_the_job_gets_what_was_said_of_gated_pods_and_its_time(tmp_path: Path) -> None:
    told = kubectl_that(
        tmp_path,
        THERE,
        "'get job'*) echo 'SuccessCriteriaMet Complete '",
        "'create --dry-run'*) printf '%s\\n' '- --gated-pods=delete' 'activeDeadlineSeconds: 300'",
        "'apply '*) cat",
    )

    done = run("--uninstall", "--gated-pods", "ungate", "--timeout", "2m", path=tmp_path, **told)

    assert done.returncode == 0, done.stderr
    assert "- --gated-pods=ungate\nactiveDeadlineSeconds: 120\n" in done.stdout


def test_somebody_who_ran_the_release_may_leave_the_job_out(tmp_path: Path) -> None:
    done = run("--uninstall", "--no-release", path=tmp_path, **kubectl_that(tmp_path, THERE))

    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in changes(tmp_path)} == {"delete"}
    assert "aim-gpu-release" not in "".join(changes(tmp_path))


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
