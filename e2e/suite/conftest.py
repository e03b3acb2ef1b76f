"""The cluster and the release of all scenarios: installed once, before the first that asks for it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.chart.helm import CHART, NAMESPACE
from e2e.suite.cluster import Cluster, condition
from e2e.suite.release import Release

MANAGED = "aim.amd.com/managed"
_DEFAULT_CONTAINERS = "busybox:1.37"
_MODES_MAY_CHANGE = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "e2e-modes"},
    "spec": {
        "nodeSelector": {},
        "validatedOnly": False,
        "repartition": {"enabled": True, "approval": "Auto", "cooldown": "1s"},
    },
}


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The one that `KUBECONFIG` names."""
    if not os.environ.get("KUBECONFIG"):
        pytest.exit("KUBECONFIG is not set: name a cluster, or run `make e2e`, which starts one", returncode=2)
    return Cluster(os.environ.get("KUBECTL", "kubectl"))


@pytest.fixture(scope="session")
def engine_image() -> str:
    """Of the containers that stand for engines: anything with a shell."""
    return os.environ.get("AIM_E2E_ENGINE_IMAGE", _DEFAULT_CONTAINERS)


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> Release:
    """The chart, installed, with agents on every node that takes pods, all of which have told of their GPUs."""
    chart = Path(os.environ.get("AIM_E2E_CHART", CHART))
    made = Release(os.environ.get("HELM", "helm"), os.environ.get("AIM_E2E_IMAGE"), chart)
    made.install()
    cluster.call("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    workers = [
        node["metadata"]["name"]
        for node in cluster.items("nodes")
        if not any(taint["effect"] == "NoSchedule" for taint in node["spec"].get("taints", ()))
    ]
    cluster.call("label", "nodes", *workers, f"{MANAGED}=true", "--overwrite")

    def told() -> bool:
        ready = [node for node in cluster.items("gpunodes") if condition(node, "Ready") == "True"]
        return len(ready) == len(workers)

    cluster.eventually(f"{len(workers)} nodes have told of their GPUs", told)
    return made


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the scenario's own, which is gone when it ends."""
    name = f"e2e-{uuid.uuid4().hex[:6]}"
    cluster.call("create", "namespace", name)
    yield name
    cluster.call("delete", "namespace", name, "--timeout=90s", limit_seconds=100)


@pytest.fixture
def modes_may_change(cluster: Cluster, release: Release) -> Iterator[None]:
    """Under a policy, for as long as the scenario runs."""
    assert release.installed()
    cluster.apply(_MODES_MAY_CHANGE)
    yield
    cluster.call("delete", "gpusharingpolicy", "e2e-modes")
