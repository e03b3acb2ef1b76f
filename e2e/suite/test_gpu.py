"""A node with real GPUs, which `AIM_E2E_GPU_NODE` names: agents that report tell what the kernel has there."""

import os
from collections.abc import Iterator

import pytest

from e2e.chart.helm import NAMESPACE
from e2e.suite.cluster import Cluster, Object, condition
from e2e.suite.release import Release

pytestmark = [pytest.mark.needs_kubelet, pytest.mark.needs_gpu]

# What computes has SIMD units; processors stand in the same list with none.
_COMPUTING = "grep -h '^simd_count' /host/sys/class/kfd/kfd/topology/nodes/*/properties"


@pytest.fixture
def node(cluster: Cluster, release: Release) -> Iterator[str]:
    """Its name, with agents that report in place of those that pretend."""
    name = os.environ.get("AIM_E2E_GPU_NODE")
    if not name:
        pytest.skip("AIM_E2E_GPU_NODE names no node with an AMD GPU")
    release.install("--set", "agent.mode=report")
    yield name
    release.install()


def test_an_agent_tells_every_partition_that_the_kernel_has(cluster: Cluster, node: str) -> None:
    def told() -> Object | None:
        found = cluster.find("gpunode", node)
        if found is None or found.get("status", {}).get("backend") in {None, "simulated"}:
            return None
        return found if condition(found, "Ready") == "True" else None

    gpus = cluster.eventually("the node tells of real GPUs", told)["status"]["gpus"]
    (agent,) = cluster.items(
        "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=aim-gpu-agent", f"--field-selector=spec.nodeName={node}"
    )
    counts = cluster.call("exec", "-n", NAMESPACE, agent["metadata"]["name"], "--", "sh", "-c", _COMPUTING)
    computing = [line for line in counts.splitlines() if line.split()[1] != "0"]
    assert sum(len(gpu["partitions"]) for gpu in gpus) == len(computing) > 0
    assert [gpu["bdf"] for gpu in gpus if gpu.get("problem")] == []
