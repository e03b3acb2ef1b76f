"""`kubectl drain`, and the disruption budgets of models."""

from collections.abc import Iterator

import pytest

from e2e.suite.cluster import Cluster, CommandFailed
from e2e.suite.models import deployment
from e2e.suite.release import Release
from e2e.suite.test_models import expect_partition, running

pytestmark = pytest.mark.needs_kubelet


@pytest.fixture
def drained(cluster: Cluster) -> Iterator[list[str]]:
    """Nodes to be opened again at the end."""
    nodes: list[str] = []
    yield nodes
    for node in nodes:
        cluster.call("uncordon", node)


def test_a_budget_keeps_a_model_and_without_it_the_model_leaves_and_comes_back(
    cluster: Cluster, release: Release, namespace: str, engine_image: str, drained: list[str]
) -> None:
    cluster.apply(
        deployment("kept", namespace, engine_image),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kept", "namespace": namespace},
            "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "kept"}}},
        },
    )
    pod, _ = expect_partition(cluster, namespace)
    node, first = pod["spec"]["nodeName"], pod["metadata"]["name"]
    drained.append(node)
    drain = ("drain", node, "--pod-selector=app=kept", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=8s")
    with pytest.raises(CommandFailed, match="disruption budget"):
        cluster.call(*drain)
    assert cluster.find("pod", first, namespace) is not None
    cluster.call("delete", "poddisruptionbudget", "kept", "-n", namespace)
    cluster.call(*drain[:-1], "--timeout=60s", limit_seconds=70)
    cluster.call("uncordon", node)
    cluster.eventually(
        "another pod runs in its place",
        lambda: (found := running(cluster, namespace)) and found["metadata"]["name"] != first,
    )
    expect_partition(cluster, namespace)
