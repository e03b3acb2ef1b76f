"""From release 0.1.0 to this chart, to a later one and back, with models that run: none of them notices.

After the uninstall's scenarios, since it begins on a cluster without us: our definitions are deleted first, and with them
every object of ours.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.chart.helm import NAMESPACE
from e2e.suite import former
from e2e.suite.asking import unbroken
from e2e.suite.cluster import Cluster, condition, names
from e2e.suite.conftest import MANAGED
from e2e.suite.models import deployment, service
from e2e.suite.release import READY_SECONDS, Release
from e2e.suite.test_models import expect_partition

pytestmark = [pytest.mark.needs_kubelet, pytest.mark.needs_network]

SERVICES = "inferenceservices.aim.amd.com"
FIELD = "note"
"""Of a later release, in an InferenceService's spec."""
NODES_SECONDS = 120.0

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Running:
    """A model's pod and claim as they were when it began to run."""

    namespace: str
    pod: Object
    claim: Object


@pytest.fixture(scope="module")
def chart(cluster: Cluster, release: Release) -> Iterator[Release]:
    """The chart as a later upgrade finds it; nothing of it is installed yet, and 0.1.0 is."""
    image = os.environ.get("AIM_E2E_FORMER_IMAGE")
    if not image:
        pytest.skip(os.environ.get("AIM_E2E_NO_FORMER_IMAGE", "AIM_E2E_FORMER_IMAGE names no image of release 0.1.0"))
    if release.installed():
        release.uninstall()
    ours = [name for name in names(cluster.items("customresourcedefinitions")) if name.endswith(".aim.amd.com")]
    cluster.call("delete", "customresourcedefinitions", *ours, "--timeout=60s", limit_seconds=70)
    cluster.call("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s", limit_seconds=100)
    cluster.apply(*former.definitions())
    cluster.call("wait", "customresourcedefinitions", "--all", "--for=condition=Established", "--timeout=30s")
    objects = former.objects(image)
    cluster.apply(*(one for one in objects if one["kind"] == "Namespace"))
    cluster.apply(*(one for one in objects if one["kind"] != "Namespace"))
    rollout(cluster)
    nodes = sorted(names(cluster.items("nodes", "-l", f"{MANAGED}=true")))
    assert nodes
    cluster.eventually("0.1.0 knows its nodes", lambda: ready(cluster) == nodes, NODES_SECONDS)
    yield release
    if release.installed():
        release.uninstall()


def rollout(cluster: Cluster) -> None:
    """Wait until every pod of ours is of the newest template."""
    for workload in ("deployment/aim-gpu-operator", "daemonset/aim-gpu-agent"):
        limit = f"--timeout={READY_SECONDS}s"
        cluster.call("rollout", "status", workload, "-n", NAMESPACE, limit, limit_seconds=READY_SECONDS + 10)


def ready(cluster: Cluster) -> list[str]:
    """Nodes that have told of their GPUs."""
    return sorted(names(one for one in cluster.items("gpunodes") if condition(one, "Ready") == "True"))


@pytest.fixture(scope="module")
def running(cluster: Cluster, chart: Release, engine_image: str) -> Iterator[list[Running]]:
    """A model by each entry, begun under 0.1.0."""
    begun = []
    for name, wanted in (("upgrade-own", service), ("upgrade-annotated", deployment)):
        cluster.call("create", "namespace", name)
        cluster.apply(wanted("runs", name, engine_image))
        begun.append(Running(name, *expect_partition(cluster, name)))
    yield begun
    for one in begun:
        cluster.call("delete", "namespace", one.namespace, "--timeout=90s", limit_seconds=100)


def unnoticed(cluster: Cluster, running: list[Running]) -> None:
    """Each pod and claim is the one of before, and no container was started again."""
    for one in running:
        pod, claim = expect_partition(cluster, one.namespace)
        assert pod["metadata"]["uid"] == one.pod["metadata"]["uid"]
        assert [(each["containerID"], each["restartCount"]) for each in pod["status"]["containerStatuses"]] == [
            (each["containerID"], 0) for each in one.pod["status"]["containerStatuses"]
        ]
        assert claim["metadata"]["uid"] == one.claim["metadata"]["uid"]
        assert claim["status"]["allocation"] == one.claim["status"]["allocation"]


def works(cluster: Cluster, image: str) -> None:
    """Another model gets a partition that nobody else holds, and leaves nothing."""
    cluster.call("create", "namespace", "upgrade-next")
    try:
        cluster.apply(service("next", "upgrade-next", image))
        expect_partition(cluster, "upgrade-next")
        held = [
            (claim["status"]["allocation"]["node"], device["bdf"], device["partition"])
            for claim in cluster.items("gpupartitionclaims")
            for device in claim.get("status", {}).get("allocation", {}).get("devices", ())
        ]
        assert len(held) == len(set(held))
    finally:
        cluster.call("delete", "namespace", "upgrade-next", "--timeout=90s", limit_seconds=100)


def stored(cluster: Cluster) -> set[tuple[str, ...]]:
    """The versions in which objects of our kinds may lie in the store, of each kind."""
    return {
        tuple(one["status"]["storedVersions"])
        for one in cluster.items("customresourcedefinitions")
        if one["spec"]["group"] == "aim.amd.com"
    }


def test_0_1_0_becomes_this_chart(cluster: Cluster, chart: Release, running: list[Running], engine_image: str) -> None:
    before = {one["metadata"]["name"]: one["metadata"]["uid"] for one in cluster.items("gpunodes")}
    with unbroken(cluster, [one.pod for one in running], engine_image):
        chart.install("--take-ownership")
        rollout(cluster)
    unnoticed(cluster, running)
    assert {one["metadata"]["name"]: one["metadata"]["uid"] for one in cluster.items("gpunodes")} == before
    assert stored(cluster) == {("v1beta1",)}
    assert cluster.call("get", "inferenceservices.v1alpha1.aim.amd.com", "runs", "-n", "upgrade-own", "-o", "name")
    works(cluster, engine_image)
    assert "Phase:          Succeeded" in chart.test()


@pytest.fixture(scope="module")
def later(chart: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The chart as its next version might be: one more field of an InferenceService, and another default."""
    folder = tmp_path_factory.mktemp("later") / chart.chart.name
    shutil.copytree(chart.chart, folder)
    _edit(folder / "Chart.yaml", lambda text: text.replace(f"version: {chart.version()}", "version: 99.0.0"))
    for file in sorted((folder / "files/crds").glob("*.yaml")):
        definition = yaml.safe_load(file.read_text(encoding="utf-8"))
        if definition["metadata"]["name"] == SERVICES:
            for version in definition["spec"]["versions"]:
                fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
                fields[FIELD] = {"type": "string", "description": "Of a later release."}
            file.write_text(yaml.safe_dump(definition, sort_keys=False), encoding="utf-8")
    _edit(folder / "values.yaml", lambda text: text.replace("limits: {memory: 1Gi}", "limits: {memory: 768Mi}", 1))
    return replace(chart, chart=folder)


def _edit(file: Path, change: Callable[[str], str]) -> None:
    before = file.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, f"{file.name} has no such place any more"
    file.write_text(after, encoding="utf-8")


def limit(cluster: Cluster) -> str:
    """The memory that the operator may take."""
    found = cluster.find("deployment", "aim-gpu-operator", NAMESPACE)
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"])


def note(cluster: Cluster) -> str | None:
    """What the running service has in the later release's field."""
    found = cluster.find(SERVICES, "runs", "upgrade-own")
    assert found is not None
    written: str | None = found["spec"].get(FIELD)
    return written


def annotate(cluster: Cluster, text: str) -> str:
    """Write that field; what kubectl says."""
    patch = f'{{"spec":{{"{FIELD}":"{text}"}}}}'
    return cluster.call("patch", SERVICES, "runs", "-n", "upgrade-own", "--type=merge", "-p", patch)


def test_a_later_chart_brings_a_field_and_a_default_and_keeps_what_was_set(
    cluster: Cluster, chart: Release, later: Release, running: list[Running], engine_image: str
) -> None:
    assert limit(cluster) == "1Gi"
    with unbroken(cluster, [one.pod for one in running], engine_image):
        later.upgrade("--reset-then-reuse-values")
        rollout(cluster)
    assert limit(cluster) == "768Mi"
    (agent,) = cluster.items("daemonsets", "-n", NAMESPACE)
    assert "--kubelet-plugin=dra" in agent["spec"]["template"]["spec"]["containers"][0]["args"]
    annotate(cluster, "kept")
    assert note(cluster) == "kept"
    unnoticed(cluster, running)
    works(cluster, engine_image)


def test_the_way_back_loses_what_only_the_later_one_knew_and_no_model(
    cluster: Cluster, chart: Release, later: Release, running: list[Running], engine_image: str
) -> None:
    with unbroken(cluster, [one.pod for one in running], engine_image):
        chart.rollback()
        rollout(cluster)
    assert limit(cluster) == "1Gi"
    assert note(cluster) is None
    unnoticed(cluster, running)
    works(cluster, engine_image)
