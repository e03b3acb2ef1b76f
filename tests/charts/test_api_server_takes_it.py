"""Every object of every set of values, by a dry run on the real API server that knows all fields and checks CEL."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from e2e.chart import Helm
from e2e.plane import AdminError, Plane
from e2e.plane.admin import APPLY_PATCH
from tests.charts.value_sets import SETS

Object = dict[str, Any]

#: Kinds of others, which are not installed on the plane.
FOREIGN = ("cert-manager.io/", "monitoring.coreos.com/", "security.openshift.io/")
NAMESPACES = (
    "aim-gpu-system",
    "somewhere-else",
    "aim-gpu-gateway",
    "aim-gpu-exporter",
    "team-a",
    "keeps-to-restricted",
)
RESTRICTED = NAMESPACES[-1]
ENFORCED = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def plane(helm: Helm, plane_manifests: Sequence[Path]) -> Iterator[Plane]:
    """Its own: where ours is installed, its namespaces are in use."""
    with Plane(manifests=plane_manifests) as started:
        _make_namespaces(helm, started)
        yield started


def _make_namespaces(helm: Helm, plane: Plane) -> None:
    """Those that values name, with the accounts of pods: a dry run makes neither, and pods ask for both."""
    plane.admin.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES])
    plane.admin.patch(f"/api/v1/namespaces/{RESTRICTED}", {"metadata": {"labels": {ENFORCED: "restricted"}}})
    for namespace in NAMESPACES[:2]:
        accounts = (
            one for one in helm.objects(SETS["everything"], namespace=namespace) if one["kind"] == "ServiceAccount"
        )
        plane.admin.apply(accounts)
    account = f"/api/v1/namespaces/{RESTRICTED}/serviceaccounts/default"
    plane.wait_until(lambda: plane.admin.find(account) is not None, f"{RESTRICTED} has its ServiceAccount")


def refused(plane: Plane, objects: list[Object]) -> list[str]:
    """What the API server says of those it does not take."""
    told = []
    for one in objects:
        path = plane.admin.path_of(one)
        try:
            query = "fieldManager=chart&force=true&dryRun=All&fieldValidation=Strict"
            plane.admin.request("PATCH", f"{path}?{query}", one, APPLY_PATCH)
        except AdminError as error:
            told.append(f"{one['kind']} {one['metadata']['name']}: {error}")
    return told


@pytest.mark.plane
@pytest.mark.parametrize("name", SETS)
def test_every_object_is_taken(helm: Helm, plane: Plane, name: str) -> None:
    objects = [one for one in helm.objects(SETS[name]) if not one["apiVersion"].startswith(FOREIGN)]

    assert refused(plane, objects) == []
    assert len(objects) > 15


@pytest.mark.plane
def test_every_object_is_taken_in_another_namespace(helm: Helm, plane: Plane) -> None:
    objects = helm.objects(namespace="somewhere-else")

    assert refused(plane, objects) == []
    assert {one["metadata"].get("namespace", "somewhere-else") for one in objects} == {"somewhere-else"}


@pytest.mark.plane
def test_what_is_wrong_is_refused(helm: Helm, plane: Plane) -> None:
    policy = next(one for one in helm.objects() if one["kind"] == "ValidatingAdmissionPolicy")
    policy["spec"]["matchConditions"][0]["expression"] = "request.userInfo.nobody.knows("
    deployment = next(one for one in helm.objects() if one["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["nodeSelectors"] = {}

    told = refused(plane, [policy, deployment])

    assert len(told) == 2
    assert "compilation failed" in told[0]
    assert "nodeSelectors" in told[1]


@pytest.mark.plane
@pytest.mark.parametrize("name", ["default", "everything", "a Secret of one's own", "places, labels and a mirror"])
def test_every_pod_but_the_agents_keeps_to_the_level_restricted(helm: Helm, plane: Plane, name: str) -> None:
    pods = {pod["metadata"]["name"]: pod for pod in _pods(helm.objects(SETS[name]))}
    agents = {pod for pod in pods if "agent" in pod}

    told = refused(plane, list(pods.values()))

    assert [one for one in told if "aim-gpu-agent" not in one] == []
    assert len(told) == len(agents) == 1
    assert "violates PodSecurity" in told[0]


def _pods(objects: list[Object]) -> list[Object]:
    """The pods of workloads, in the restricted namespace and by its own account."""
    found = []
    for one in objects:
        spec = one["spec"] if one["kind"] == "Pod" else one.get("spec", {}).get("template", {}).get("spec")
        if spec is None:
            continue
        without = {key: value for key, value in spec.items() if key != "serviceAccountName"}
        metadata = {"name": one["metadata"]["name"], "namespace": RESTRICTED}
        found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": without})
    return found
