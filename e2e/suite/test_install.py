"""What an installation leaves."""

from typing import Any

import pytest

from e2e.chart.helm import NAMESPACE
from e2e.suite.cluster import Cluster, condition, names
from e2e.suite.release import READY_SECONDS, Release

pytestmark = pytest.mark.needs_kubelet


def _processes(cluster: Cluster) -> list[dict[str, Any]]:
    """Pods of the release but those of its Jobs and tests."""
    pods = cluster.items("pods", "-n", NAMESPACE)
    return [pod for pod in pods if "helm.sh/hook" not in pod["metadata"].get("annotations", {})]


def test_every_process_is_ready_and_none_was_restarted(cluster: Cluster, release: Release) -> None:
    def unready() -> list[str]:
        ours = _processes(cluster)
        return [name for pod, name in zip(ours, names(ours), strict=True) if condition(pod, "Ready") != "True"]

    # helm --wait waits for no DaemonSet of a single node: one of its pods may be unavailable
    cluster.eventually("every process is Ready", lambda: not unready(), READY_SECONDS)
    pods = cluster.items("pods", "-n", NAMESPACE)
    kinds = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods}
    assert {"aim-gpu-operator", "aim-gpu-agent"} <= kinds
    assert unready() == []
    assert [
        one["restartCount"]
        for pod in _processes(cluster)
        for one in pod["status"]["containerStatuses"]
        if one["restartCount"]
    ] == []


def test_processes_are_no_root_and_write_nowhere(cluster: Cluster, release: Release) -> None:
    told = cluster.call(
        "exec", "-n", NAMESPACE, "deploy/aim-gpu-operator", "--", "sh", "-c", "id -u; touch /x 2>&1 || true"
    )
    assert told.split()[0] == "65532"
    assert "Read-only file system" in told


def test_helm_test_passes(release: Release) -> None:
    said = release.test()
    assert "Phase:          Succeeded" in said
    assert said.count("aim-gpu-operator: 2 ready") == 1


def test_every_node_tells_of_its_gpus(cluster: Cluster, release: Release) -> None:
    for node in cluster.items("gpunodes"):
        gpus = node["status"]["gpus"]
        assert len(gpus) == 8
        assert {gpu["product"] for gpu in gpus} == {gpus[0]["product"]}
