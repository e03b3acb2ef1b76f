"""The plain manifests by their script: installed, installed again, uninstalled, uninstalled again.

After the scenarios of the chart, whose release is taken away first.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.chart import installed
from e2e.chart.helm import NAMESPACE
from e2e.chart.install_manifest import INSTALL
from e2e.suite.cluster import Cluster, condition, names, run
from e2e.suite.conftest import MANAGED
from e2e.suite.models import HUGE, container, deployment
from e2e.suite.release import READY_SECONDS, Release
from e2e.suite.test_models import expect_partition

pytestmark = pytest.mark.needs_kubelet

WEBHOOKS = "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies"
NODES_SECONDS = 120.0

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """`folder`: a copy of `charts/install`, whose manifests name the image at hand."""

    folder: Path

    def __call__(self, *options: str) -> str:
        """Run it; what it says. Raises CommandFailed."""
        command = [str(self.folder / "install.sh"), "--timeout", f"{READY_SECONDS}s", *options]
        return run(command, limit_seconds=2 * READY_SECONDS)


@pytest.fixture(scope="module")
def script(
    cluster: Cluster, release: Release, tmp_path_factory: pytest.TempPathFactory, kubectl_on_path: None
) -> Iterator[Script]:
    """It, on a cluster without us: the definitions are gone as well."""
    if release.installed():
        release.uninstall()
    folder = tmp_path_factory.mktemp("without-helm") / "install"
    shutil.copytree(installed.FOLDER, folder)
    if release.image:
        (own,) = {one["image"] for one in containers_of(installed.objects(INSTALL, kind="Deployment"))}
        for file in folder.glob("*.yaml"):
            file.write_text(file.read_text(encoding="utf-8").replace(own, release.image), encoding="utf-8")
    made = Script(folder)
    made("--uninstall", "--no-release", "--delete-crds")
    yield made
    made("--uninstall", "--delete-crds")


def containers_of(workloads: list[Object]) -> list[Object]:
    return [one for workload in workloads for one in workload["spec"]["template"]["spec"]["containers"]]


@pytest.fixture(scope="module")
def kubectl_on_path(cluster: Cluster) -> Iterator[None]:
    """The script calls it by its name."""
    with pytest.MonkeyPatch.context() as patch:
        found = Path(shutil.which(cluster.kubectl) or cluster.kubectl).resolve()
        patch.setenv("PATH", f"{found.parent}{os.pathsep}{os.environ['PATH']}")
        yield


def simulate(cluster: Cluster, script: Script) -> None:
    """Agents that pretend GPUs, in the place of those that read them, and wait for each node to tell of its own."""
    cluster.call("apply", "--server-side", "--force-conflicts", "-f", str(script.folder / "agent-simulate.yaml"))
    nodes = sorted(names(cluster.items("nodes", "-l", f"{MANAGED}=true")))
    assert nodes

    def told() -> bool:
        return nodes == sorted(names(one for one in cluster.items("gpunodes") if condition(one, "Ready") == "True"))

    cluster.eventually("every node has told of its GPUs", told, NODES_SECONDS)


def gated(cluster: Cluster, namespace: str) -> list[str]:
    """Names of pods that wait for a partition."""
    return names(pod for pod in cluster.items("pods", "-n", namespace) if pod["spec"].get("schedulingGates"))


def lone(name: str, namespace: str, image: str) -> Object:
    """A pod of nobody's that fits no GPU."""
    annotations = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": HUGE}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {"containers": [container(image)]},
    }


def test_installed_twice_uninstalled_twice_and_installed_again(
    cluster: Cluster, script: Script, namespace: str, engine_image: str
) -> None:
    assert "aim-gpu-sharing is installed" in script()
    assert "aim-gpu-sharing is installed" in script()
    simulate(cluster, script)
    cluster.apply(deployment("stays", namespace, engine_image))
    before, claim = expect_partition(cluster, namespace)
    cluster.apply(deployment("huge", namespace, engine_image, model_id=HUGE), lone("lone", namespace, engine_image))
    cluster.eventually("both wait behind the gate", lambda: len(gated(cluster, namespace)) == 2)

    told = script("--uninstall")

    assert "MutatingWebhookConfiguration aim-gpu-pod-gate deleted" in told, "the Job's log"
    assert f"pod {namespace}/lone" in told
    assert "kept: gpunodes.aim.amd.com with 1 objects" in told
    assert gated(cluster, namespace) == []
    after = cluster.find("pod", before["metadata"]["name"], namespace)
    assert after is not None
    assert (after["metadata"]["uid"], condition(after, "Ready")) == (before["metadata"]["uid"], "True")
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
    assert [name for name in names(cluster.items(WEBHOOKS)) if name.startswith("aim-")] == []
    assert [name for name in names(cluster.items("clusterroles")) if name.startswith("aim-gpu-")] == []
    assert cluster.find("namespace", NAMESPACE) is None
    labels = {key for node in cluster.items("nodes") for key in node["metadata"]["labels"] if key.startswith("aim.")}
    assert labels == {MANAGED}, "a person's"
    assert "nothing of aim-gpu-sharing runs here" in script("--uninstall")
    assert cluster.find("customresourcedefinition", "inferenceservices.aim.amd.com") is not None

    script()
    simulate(cluster, script)
    cluster.call("delete", "deployment", "huge", "-n", namespace)
    cluster.eventually(
        "what ran without a partition has gone", lambda: len(cluster.items("pods", "-n", namespace)) == 1
    )
    again, kept = expect_partition(cluster, namespace)
    assert again["metadata"]["uid"] == before["metadata"]["uid"]
    assert kept["status"]["allocation"] == claim["status"]["allocation"]
    # a kubelet lets a pod go once the driver of its ResourceClaim has let go, and that is the simulating agent
    cluster.call("delete", "deployment", "stays", "-n", namespace)
    cluster.eventually("the model has ended", lambda: not cluster.items("pods", "-n", namespace))
    script("--uninstall", "--delete-crds")
    assert [name for name in names(cluster.items("customresourcedefinitions")) if name.endswith("aim.amd.com")] == []
