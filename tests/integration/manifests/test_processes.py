"""Our workloads before a real API server: known fields only, and the operator within the strictest Pod Security level."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.chart import installed
from e2e.chart.install_manifest import RELEASE
from e2e.plane import Plane
from e2e.run.install import ROOT, SYSTEM_NAMESPACE, kubectl

pytestmark = pytest.mark.plane

FILES = sorted(file for file in installed.FOLDER.glob("*.yaml") if file.name != RELEASE)
NAMES = ("aim-gpu-operator", "aim-gpu-agent", "aim-gpu-gateway", "aim-gpu-exporter", "aim-gpu-ui")
AGENTS = ("install.yaml", "agent-repartition.yaml", "agent-simulate.yaml")


@pytest.fixture(scope="module")
def restricted(installed_plane: Plane) -> Iterator[str]:
    name = "pods-restricted"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    installed_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    installed_plane.wait_until(lambda: installed_plane.admin.find(account) is not None, "the namespace is usable")
    yield name
    installed_plane.admin.delete(f"/api/v1/namespaces/{name}")


def pod_of(kind: str, name: str, *files: str) -> str:
    workload = installed.the(kind, name, *files)
    template = workload["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], "name": "one"}}
    return yaml.safe_dump(pod)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_api_server_takes_every_process_and_knows_each_field(installed_plane: Plane, file: Path) -> None:
    processes = [one for name in NAMES for one in installed.process(name, file.name)]
    arguments = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    told = kubectl(installed_plane, *arguments, text=yaml.safe_dump_all(processes))
    assert told.count("serverside-applied") == len(processes) > 0


@pytest.mark.parametrize("name", ["aim-gpu-operator", "aim-gpu-gateway", "aim-gpu-exporter"])
def test_the_pod_is_within_the_level_restricted(installed_plane: Plane, restricted: str, name: str) -> None:
    pod = yaml.safe_load(pod_of("Deployment", name))
    del pod["spec"]["serviceAccountName"]
    told = kubectl(installed_plane, "create", "-n", restricted, "--dry-run=server", "-f", "-", text=yaml.safe_dump(pod))
    assert "pod/one created" in told


def test_the_api_server_takes_the_network_policy_for_engines(installed_plane: Plane) -> None:
    file = str(ROOT / "examples/gateway/engines-through-the-gateway.yaml")
    told = kubectl(installed_plane, "create", "-n", "default", "--dry-run=server", "--validate=strict", "-f", file)
    assert "networkpolicy.networking.k8s.io/engines-through-the-gateway created" in told


def test_the_agents_pods_are_let_into_our_namespace(installed_plane: Plane) -> None:
    for file in AGENTS:
        pod = pod_of("DaemonSet", "aim-gpu-agent", file)
        told = kubectl(installed_plane, "create", "-n", SYSTEM_NAMESPACE, "--dry-run=server", "-f", "-", text=pod)
        assert "pod/one created" in told
