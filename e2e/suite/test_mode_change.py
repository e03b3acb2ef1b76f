"""A mode that no GPU has, changed to because a policy lets it."""

import pytest

from e2e.suite.cluster import Cluster
from e2e.suite.models import deployment
from e2e.suite.test_models import expect_partition

pytestmark = pytest.mark.needs_kubelet


def test_an_idle_gpu_is_divided_for_a_model(
    cluster: Cluster, modes_may_change: None, namespace: str, engine_image: str
) -> None:
    before = {one["metadata"]["name"] for one in cluster.items("repartitionplans")}
    present = {gpu["mode"] for node in cluster.items("gpunodes") for gpu in node["status"]["gpus"]}
    wanted = next(mode for mode in ("QPX/NPS1", "DPX/NPS1", "CPX/NPS1") if mode not in present)
    cluster.apply(deployment("part", namespace, engine_image, partition_mode=wanted))
    expect_partition(cluster, namespace)

    def succeeded() -> bool:
        plans = [one for one in cluster.items("repartitionplans") if one["metadata"]["name"] not in before]
        return [one["status"]["phase"] for one in plans if one.get("status", {}).get("phase")] == ["Succeeded"]

    cluster.eventually("one plan has Succeeded", succeeded)
    (claim,) = cluster.items("gpupartitionclaims", "-n", namespace)
    assert claim["status"]["allocation"]["devices"][0]["mode"] == wanted
