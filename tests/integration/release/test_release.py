"""`aim-gpu release --all` on a cluster of its own: what only the operator could take away is gone, and stays gone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli.release_steps import GUARDS, TWO_VERSIONS, WEBHOOKS
from e2e.plane import Plane
from e2e.run.install import apply_objects, kubectl
from tests.integration.release.left_over import NODE, left, pod, resource_claim

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

AIM_GPU = Path(sys.executable).with_name("aim-gpu")
Object = dict[str, Any]


@pytest.fixture(scope="module")
def installed() -> Iterator[Plane]:
    """A plane of its own."""
    with left() as plane:
        apply_objects(plane, [pod("found", claim="there"), resource_claim("there")])
        yield plane


def release(plane: Plane, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as it is installed, with nobody at a terminal."""
    command = [str(AIM_GPU), "release", *arguments, "--kubeconfig", str(plane.kubeconfig)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL, check=False)


def pods(plane: Plane) -> dict[str, list[str]]:
    """Names of pods with those of their gates."""
    found = plane.admin.get("/api/v1/namespaces/default/pods")["items"]
    return {one["metadata"]["name"]: [gate["name"] for gate in one["spec"].get("schedulingGates", ())] for one in found}


def test_all_is_given_back_and_a_second_time_nothing_is_left(installed: Plane) -> None:
    before = pods(installed)
    assert set(before) >= {"made", "nobodys", "waits", "found"}
    looked = release(installed, "--all", "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert "would be: pod default/made deleted" in looked.stdout
    assert "would be: MutatingWebhookConfiguration aim-gpu-pod-gate deleted" in looked.stdout
    assert pods(installed) == before

    done = release(installed, "--all", "--yes")
    assert done.returncode == 0, done.stderr
    told = [line.removeprefix("would be: ") for line in looked.stdout.splitlines()]
    assert done.stdout.splitlines() == told
    assert "pod default/waits deleted; nobody makes ResourceClaim some-claim any more" in done.stdout
    after = pods(installed)
    assert (after["nobodys"], after["found"]) == ([], [])
    assert {"made", "waits"} & set(after) == set()
    for resource, name in WEBHOOKS:
        assert installed.admin.find(resource.path(name=name)) is None
    bindings = kubectl(installed, "get", "validatingadmissionpolicybindings", "-o", "name")
    assert [name for name in GUARDS if name in bindings] == []
    node = installed.admin.get(f"/api/v1/nodes/{NODE}")
    assert [taint["key"] for taint in node["spec"]["taints"]] == ["team"]
    left = {key for key in node["metadata"]["labels"] if "amd.com/" in key}
    assert left == {"aim.amd.com/managed", "amd.com/gpu.family"}, "a person's, and a label that somebody else wrote"
    for name in TWO_VERSIONS:
        crd = installed.admin.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        assert [version["name"] for version in crd["spec"]["versions"] if version["served"]] == ["v1beta1"]
    kubectl(installed, "delete", "gpc", "aim-group-x", "--timeout=20s")

    again = release(installed, "--all", "--yes")
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing is left" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "want"),
    [
        pytest.param([], 2, "--all is missing", id="without --all"),
        pytest.param(["--all"], 2, "give --yes", id="nobody to ask"),
    ],
)
def test_nothing_is_done_unasked(installed: Plane, arguments: list[str], code: int, want: str) -> None:
    refused = release(installed, *arguments)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert want in refused.stderr
