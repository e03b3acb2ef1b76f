"""Our workloads before a real API server: known fields only, and the operator within the strictest Pod Security level."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from e2e.plane import Plane
from e2e.run.install import MANIFESTS, ROOT, SYSTEM_NAMESPACE, kubectl

pytestmark = pytest.mark.plane

FILES = sorted((MANIFESTS / "workloads").glob("*.yaml"))


@pytest.fixture(scope="module")
def restricted(installed_plane: Plane) -> Iterator[str]:
    name = "pods-restricted"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    installed_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    installed_plane.wait_until(lambda: installed_plane.admin.find(account) is not None, "the namespace is usable")
    yield name
    installed_plane.admin.delete(f"/api/v1/namespaces/{name}")


def pod_of(file: Path) -> str:
    workload = next(obj for obj in yaml.safe_load_all(file.read_text(encoding="utf-8")) if "template" in obj["spec"])
    template = workload["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], "name": "one"}}
    return yaml.safe_dump(pod)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_api_server_takes_every_workload_and_knows_each_field(installed_plane: Plane, file: Path) -> None:
    arguments = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", str(file))
    told = kubectl(installed_plane, *arguments)
    assert told.count("serverside-applied") == len(list(yaml.safe_load_all(file.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", ["operator.yaml", "gateway.yaml"])
def test_the_pod_is_within_the_level_restricted(installed_plane: Plane, restricted: str, name: str) -> None:
    pod = yaml.safe_load(pod_of(MANIFESTS / "workloads" / name))
    del pod["spec"]["serviceAccountName"]
    told = kubectl(installed_plane, "create", "-n", restricted, "--dry-run=server", "-f", "-", text=yaml.safe_dump(pod))
    assert "pod/one created" in told


def test_the_api_server_takes_the_network_policy_for_engines(installed_plane: Plane) -> None:
    file = str(ROOT / "examples/gateway/engines-through-the-gateway.yaml")
    told = kubectl(installed_plane, "create", "-n", "default", "--dry-run=server", "--validate=strict", "-f", file)
    assert "networkpolicy.networking.k8s.io/engines-through-the-gateway created" in told


def test_the_agents_pods_are_let_into_our_namespace(installed_plane: Plane) -> None:
    for name in ("agent.yaml", "agent-repartitioning.yaml", "agent-simulated.yaml"):
        pod = pod_of(MANIFESTS / "workloads" / name)
        told = kubectl(installed_plane, "create", "-n", SYSTEM_NAMESPACE, "--dry-run=server", "-f", "-", text=pod)
        assert "pod/one created" in told
