"""An uninstall, last of all: nothing waits for what is gone."""

import pytest

from controller.cli.release_plans import at_hardware, ordered
from e2e.chart.helm import NAMESPACE
from e2e.suite.cluster import Cluster, Object, names
from e2e.suite.models import HUGE, deployment
from e2e.suite.release import Release
from e2e.suite.test_models import expect_partition

pytestmark = pytest.mark.needs_kubelet

ENDED = {"Succeeded", "Failed", "RolledBack"}


def test_models_run_on_and_the_next_installation_finds_them(
    cluster: Cluster, release: Release, namespace: str, engine_image: str
) -> None:
    cluster.apply(deployment("stays", namespace, engine_image))
    before, claim = expect_partition(cluster, namespace)
    release.uninstall()
    release.install()
    after, again = expect_partition(cluster, namespace)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
    assert again["status"]["allocation"] == claim["status"]["allocation"]
    versions = cluster.call("get", "inferenceservices.v1alpha1.aim.amd.com", "-A", "-o", "name")
    assert versions == ""


def test_a_change_of_modes_is_not_cut_short(
    cluster: Cluster, release: Release, modes_may_change: None, namespace: str, engine_image: str
) -> None:
    before = names(cluster.items("repartitionplans"))
    present = {gpu["mode"] for node in cluster.items("gpunodes") for gpu in node["status"]["gpus"]}
    wanted = next(mode for mode in ("QPX/NPS1", "DPX/NPS1", "CPX/NPS1") if mode not in present)
    cluster.apply(deployment("part", namespace, engine_image, partition_mode=wanted))

    def plans() -> list[Object]:
        return [one for one in cluster.items("repartitionplans") if one["metadata"]["name"] not in before]

    cluster.eventually("a plan is at the hardware", lambda: at_hardware(plans()))
    said = release.uninstall()
    # a simulated change takes some seconds, and may have ended by itself before the Job's pod has begun to look
    assert f"Deployment {NAMESPACE}/aim-gpu-operator scaled to 0" in said, "Helm tells the Job's log"
    log = cluster.call("logs", "-n", NAMESPACE, "job/aim-gpu-release")
    assert [line for line in log.splitlines() if line not in said] == []
    assert at_hardware(plans()) == []
    assert ordered(cluster.items("gpunodes")) == []
    for node in cluster.items("nodes"):
        assert [taint["key"] for taint in node["spec"].get("taints", ()) if taint["key"].startswith("aim.")] == []
        assert not node["spec"].get("unschedulable")
    release.install()
    cluster.eventually("every plan has ended", lambda: {one["status"]["phase"] for one in plans()} <= ENDED)


def test_nothing_is_stuck_afterwards(cluster: Cluster, release: Release, namespace: str, engine_image: str) -> None:
    cluster.apply(deployment("huge", namespace, engine_image, model_id=HUGE))

    def gated() -> bool:
        return any(pod["spec"].get("schedulingGates") for pod in cluster.items("pods", "-n", namespace))

    cluster.eventually("its pod waits behind the gate", gated)
    release.uninstall()
    assert not gated()
    webhooks = "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies"
    assert [
        one["metadata"]["name"] for one in cluster.items(webhooks) if one["metadata"]["name"].startswith("aim-")
    ] == []
    assert cluster.find("customresourcedefinition", "inferenceservices.aim.amd.com") is not None
    # With us gone an annotation is but an annotation.
    cluster.apply(deployment("as-usual", namespace, engine_image))
    cluster.eventually("a pod with our annotations runs", lambda: started(cluster, namespace))
    cluster.call("delete", "namespace", NAMESPACE, "--timeout=60s", limit_seconds=70)


def started(cluster: Cluster, namespace: str) -> bool:
    """Whether the Deployment's pod runs."""
    pods = cluster.items("pods", "-n", namespace, "-l", "app=as-usual")
    return any(pod["status"]["phase"] == "Running" for pod in pods)
