"""A model by each entry, from what a user applies to what its container is told."""

import pytest
import yaml

from e2e.suite.cluster import Cluster, CommandFailed, Object, condition
from e2e.suite.local_plane import FIRST_MODEL
from e2e.suite.models import HUGE, deployment, service
from e2e.suite.release import Release

pytestmark = pytest.mark.needs_kubelet

OURS = "inferenceservices.aim.amd.com"


def running(cluster: Cluster, namespace: str) -> Object | None:
    """The namespace's only pod, once it is Ready."""
    ready = [pod for pod in cluster.items("pods", "-n", namespace) if condition(pod, "Ready") == "True"]
    return ready[0] if len(ready) == 1 else None


def allocated(cluster: Cluster, namespace: str) -> Object | None:
    """The namespace's only claim, once it is Allocated."""
    claims = [
        one
        for one in cluster.items("gpupartitionclaims", "-n", namespace)
        if one.get("status", {}).get("phase") == "Allocated"
    ]
    return claims[0] if len(claims) == 1 else None


def expect_partition(cluster: Cluster, namespace: str) -> tuple[Object, Object]:
    """Its pod runs, has a partition, and its container is told which; the pod and its claim."""
    pod = cluster.eventually("the model's pod is Ready", lambda: running(cluster, namespace))
    claim = cluster.eventually("its claim is Allocated", lambda: allocated(cluster, namespace))
    (device,) = claim["status"]["allocation"]["devices"]
    told = cluster.call("exec", "-n", namespace, pod["metadata"]["name"], "--", "env")
    assert f"AIM_GPU_PARTITION={device['bdf']}" in told
    assert claim["status"]["allocation"]["node"] == pod["spec"]["nodeName"]
    return pod, claim


def test_by_an_inference_service(cluster: Cluster, release: Release, namespace: str, engine_image: str) -> None:
    cluster.apply(service("first", namespace, engine_image))
    expect_partition(cluster, namespace)
    cluster.eventually("the service says that it is Ready", lambda: cluster.having("Ready", OURS, "first", namespace))


def test_the_first_model_of_the_readme(cluster: Cluster, release: Release, namespace: str, engine_image: str) -> None:
    example = yaml.safe_load(FIRST_MODEL.read_text(encoding="utf-8"))
    example["metadata"]["namespace"] = namespace
    (container,) = example["spec"]["predictor"]["containers"]
    container |= {"image": engine_image, "imagePullPolicy": "IfNotPresent"}
    cluster.apply(example)
    name = example["metadata"]["name"]
    cluster.eventually("the service says that it is Ready", lambda: cluster.having("Ready", OURS, name, namespace))


def test_by_an_annotated_deployment(cluster: Cluster, release: Release, namespace: str, engine_image: str) -> None:
    cluster.apply(deployment("plain", namespace, engine_image))
    expect_partition(cluster, namespace)


def test_a_model_that_is_gone_leaves_nothing(
    cluster: Cluster, release: Release, namespace: str, engine_image: str
) -> None:
    cluster.apply(deployment("brief", namespace, engine_image))
    cluster.eventually("its claim is Allocated", lambda: allocated(cluster, namespace))
    cluster.call("delete", "deployment", "brief", "-n", namespace)
    kinds = "gpupartitionclaims,resourceclaims.resource.k8s.io,pods"
    cluster.eventually("its claims are gone", lambda: not cluster.items(kinds, "-n", namespace))


def test_a_service_that_fits_nowhere_is_refused(
    cluster: Cluster, release: Release, namespace: str, engine_image: str
) -> None:
    with pytest.raises(CommandFailed, match=r"spec\.model\.id: .*the largest partition"):
        cluster.apply(service("huge", namespace, engine_image, model=HUGE))


def test_a_pod_that_fits_nowhere_is_told_what_would_help(
    cluster: Cluster, release: Release, namespace: str, engine_image: str
) -> None:
    cluster.apply(deployment("huge", namespace, engine_image, model_id=HUGE))

    def reason() -> str | None:
        claims = cluster.items("gpupartitionclaims", "-n", namespace)
        told = [
            one for claim in claims for one in claim.get("status", {}).get("conditions", ()) if one["type"] == "Bound"
        ]
        return told[0]["message"] if told and told[0]["reason"] == "TooLargeForAnyGPU" else None

    assert "aim.amd.com/partition-count" in cluster.eventually("its claim says TooLargeForAnyGPU", reason)
