"""Today's chart on a cluster that a later release has had, whose objects may be stored in a version that it added."""

import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.chart import NAMESPACE, Helm
from e2e.plane import Plane
from e2e.plane.admin import documents
from tests.architecture.source import ROOT
from tests.integration.api.small_objects import small_object
from tests.integration.upgrade.installing import installed, rolled_back

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

PROFILES = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/modelprofiles.aim.amd.com"
OPERATOR = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/aim-gpu-operator"

Object = dict[str, Any]

KEPT = small_object("ModelProfile", name="kept")


def later(stored: str) -> list[Object]:
    """Definitions as a later release might have them: ModelProfiles in v1 as well, stored in `stored`."""
    files = sorted((ROOT / "charts/aim-gpu-sharing/files/crds").glob("*.yaml"))
    definitions = [one for file in files for one in documents(file)]
    (profiles,) = (one for one in definitions if one["metadata"]["name"] == PROFILES.rpartition("/")[2])
    profiles["spec"]["versions"].append(deepcopy(profiles["spec"]["versions"][0]) | {"name": "v1"})
    for version in profiles["spec"]["versions"]:
        version["storage"] = version["name"] == stored
    return definitions


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Its own, for kinds of the whole cluster are changed; with one object that was made by the later release."""
    definitions = tmp_path_factory.mktemp("later") / "crds.yaml"
    definitions.write_text(yaml.safe_dump_all(later("v1")), encoding="utf-8")
    with Plane(manifests=[definitions]) as started:
        started.admin.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        started.admin.apply([KEPT])
        yield started


def test_a_chart_that_cannot_read_what_is_stored_is_refused_and_changes_nothing(plane: Plane, helm: Helm) -> None:
    before = plane.admin.get(PROFILES)
    assert before["status"]["storedVersions"] == ["v1"]
    said = installed(plane, helm, "--take-ownership")
    assert "is too old for this cluster: objects of modelprofiles.aim.amd.com are stored in v1" in said
    assert "it knows v1beta1 alone: install a chart that knows v1" in said
    assert plane.admin.get(PROFILES)["metadata"]["generation"] == before["metadata"]["generation"]
    assert plane.admin.find(OPERATOR) is None


def test_once_all_is_stored_in_a_known_version_the_chart_takes_the_cluster_back(plane: Plane, helm: Helm) -> None:
    plane.admin.apply(later("v1beta1"))
    path = plane.admin.path_of(KEPT)
    kept = plane.admin.get(path)
    plane.admin.request("PUT", path, kept)
    plane.admin.request("PUT", f"{PROFILES}/status", stored_in_v1beta1(plane.admin.get(PROFILES)))
    assert installed(plane, helm, "--take-ownership") == ""
    after = plane.admin.get(PROFILES)
    assert [one["name"] for one in after["spec"]["versions"]] == ["v1beta1"]
    assert plane.admin.get(path)["spec"] == kept["spec"]
    assert plane.admin.find(OPERATOR) is not None


def test_a_rollback_is_refused_by_the_api_server_and_says_what_is_stored(
    plane: Plane, helm: Helm, tmp_path: Path
) -> None:
    folder = tmp_path / helm.chart.name
    shutil.copytree(helm.chart, folder)
    for definition in later("v1"):
        file = folder / f"files/crds/aim.amd.com_{definition['metadata']['name'].partition('.')[0]}.yaml"
        assert file.exists()
        file.write_text(yaml.safe_dump(definition, sort_keys=False), encoding="utf-8")
    assert installed(plane, replace(helm, chart=folder)) == ""
    assert plane.admin.get(PROFILES)["status"]["storedVersions"] == ["v1beta1", "v1"]
    said = rolled_back(plane, helm)
    assert "modelprofiles.aim.amd.com" in said
    assert "v1 was previously a storage version" in said
    assert [one["name"] for one in plane.admin.get(PROFILES)["spec"]["versions"]] == ["v1beta1", "v1"]
    assert installed(plane, replace(helm, chart=folder)) == "", "forward again"


def stored_in_v1beta1(definition: Object) -> Object:
    """The definition once a migration has told that nothing is stored in v1 any more."""
    return definition | {"status": definition["status"] | {"storedVersions": ["v1beta1"]}}
