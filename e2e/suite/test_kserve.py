"""A model by KServe's InferenceService, which a cluster with KServe has: theirs with our annotations, and ours through it."""

import pytest

from e2e.suite.cluster import Cluster, Object
from e2e.suite.models import HUGE, kserve_service, service
from e2e.suite.release import Release
from e2e.suite.test_models import OURS, expect_partition

pytestmark = pytest.mark.needs_kubelet

SERVICES = "inferenceservices.serving.kserve.io"
ALLOCATED = "GPUPartitionAllocated"
"""Our condition on a service of KServe's."""


@pytest.fixture(scope="module", autouse=True)
def kserve(cluster: Cluster) -> None:
    """Without KServe there is nothing to see."""
    if cluster.find("customresourcedefinition", SERVICES) is None:
        pytest.skip(f"the cluster has no KServe: it knows no {SERVICES}")


def test_a_service_of_kserves_with_our_annotations(
    cluster: Cluster, release: Release, namespace: str, engine_image: str
) -> None:
    cluster.apply(kserve_service("theirs", namespace, engine_image))
    pod, claim = expect_partition(cluster, namespace)
    assert pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == "theirs"
    assert claim["spec"]["podRef"]["uid"] == pod["metadata"]["uid"]
    cluster.eventually("KServe says that it is Ready", lambda: cluster.having("Ready", SERVICES, "theirs", namespace))
    cluster.eventually("we say that it is allocated", lambda: cluster.having(ALLOCATED, SERVICES, "theirs", namespace))
    assert len(cluster.items("replicasets", "-n", namespace)) == 1, "what we write rolls nothing out"

    cluster.call("delete", SERVICES, "theirs", "-n", namespace)
    kinds = "gpupartitionclaims,resourceclaims.resource.k8s.io,pods"
    cluster.eventually("nothing is left of it", lambda: not cluster.items(kinds, "-n", namespace))


def test_one_that_fits_nowhere_is_told_why(
    cluster: Cluster, release: Release, namespace: str, engine_image: str
) -> None:
    cluster.apply(kserve_service("huge", namespace, engine_image, model=HUGE))

    def why() -> Object | None:
        found = cluster.find(SERVICES, "huge", namespace) or {}
        said = [one for one in found.get("status", {}).get("conditions", ()) if one["type"] == ALLOCATED]
        return said[0] if said and said[0].get("reason") == "TooLargeForAnyGPU" else None

    reason = cluster.eventually("it says TooLargeForAnyGPU", why)
    assert (reason["status"], reason["severity"]) == ("False", "Info")
    assert "the largest GPU here has" in reason["message"]


def test_a_service_of_ours_runs_through_kserve(
    cluster: Cluster, release: Release, namespace: str, engine_image: str
) -> None:
    cluster.apply(service("ours", namespace, engine_image))
    expect_partition(cluster, namespace)
    found = cluster.eventually("it is Ready", lambda: cluster.having("Ready", OURS, "ours", namespace))
    assert found["status"]["backend"] == "kserve"
    through = cluster.find(SERVICES, "ours", namespace)
    assert through is not None
    assert through["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
