"""A cluster that runs release 0.1.0, by its manifests, gets today's chart: what it had stays, and Helm owns it then."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.chart import NAMESPACE, Helm
from e2e.plane import Plane
from tests.architecture.source import ROOT
from tests.integration.api.small_objects import SPECS, small_object
from tests.integration.upgrade.installing import RELEASE, installed

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

BEFORE = ROOT / "e2e/releases/0.1.0"
MANIFESTS = sorted((BEFORE / "manifests").glob("*.yaml"))
WORKLOADS = [BEFORE / "manifests/workloads" / f"{name}.yaml" for name in ("operator", "agent", "gateway")]
VALUES = {"gateway": {"enabled": True}}
CHANGES = ("managedFields", "resourceVersion")

Object = dict[str, Any]


@dataclass
class Upgraded:
    """`models` as they were before and are after, by kind; `owned` are objects of 0.1.0 as they are after."""

    before: dict[str, Object]
    after: dict[str, Object]
    workloads: dict[str, str]
    owned: list[Object]
    definitions: list[Object]


def documents(files: list[Path]) -> list[Object]:
    """The objects of YAML files."""
    return [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]


def said(found: Object) -> Object:
    """An object without what any write changes."""
    kept = {key: value for key, value in found["metadata"].items() if key not in CHANGES}
    return {**found, "metadata": kept}


@pytest.fixture(scope="module")
def upgraded(helm: Helm) -> Iterator[Upgraded]:
    """Its own plane, without nodes: what is looked at are objects."""
    with Plane(manifests=sorted((BEFORE / "crds").glob("*.yaml"))) as plane:
        admin = plane.admin
        # before the webhooks, which nobody answers here
        paths = {
            kind: admin.path_of(one) for kind in SPECS for one in admin.apply([small_object(kind, {}, name="kept")])
        }
        admin.apply_files([*MANIFESTS, *WORKLOADS])
        before = {kind: said(admin.get(path)) for kind, path in paths.items()}
        workloads = [one for one in documents(WORKLOADS) if one["kind"] in {"Deployment", "DaemonSet"}]
        uids = {one["metadata"]["name"]: admin.get(admin.path_of(one))["metadata"]["uid"] for one in workloads}

        assert "cannot be imported into the current release" in installed(plane, helm, values=VALUES)
        assert installed(plane, helm, "--take-ownership", values=VALUES) == ""

        owned = [admin.get(admin.path_of(one)) for one in documents([*MANIFESTS, *WORKLOADS])]
        yield Upgraded(
            before,
            {kind: said(admin.get(path)) for kind, path in paths.items()},
            uids,
            owned,
            admin.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"],
        )


@pytest.mark.parametrize("kind", SPECS)
def test_an_object_of_before_is_as_it_was(upgraded: Upgraded, kind: str) -> None:
    assert upgraded.after[kind] == upgraded.before[kind]


def test_workloads_are_changed_in_place(upgraded: Upgraded) -> None:
    after = {
        one["metadata"]["name"]: one["metadata"]["uid"]
        for one in upgraded.owned
        if one["kind"] in {"Deployment", "DaemonSet"}
    }
    assert len(after) == 3
    assert after == upgraded.workloads


def test_nothing_of_before_is_left_to_nobody(upgraded: Upgraded) -> None:
    left = [
        f"{one['kind']} {one['metadata']['name']}"
        for one in upgraded.owned
        if one["metadata"].get("annotations", {}).get("meta.helm.sh/release-name") != RELEASE
    ]
    assert left == [
        f"Namespace {NAMESPACE}",  # an administrator's, and Helm's --create-namespace does not own it either
        "DeviceClass gpu.amd.com",  # nothing tells it from that of AMD's DRA driver
    ]
    (kept,) = [one for one in upgraded.owned if one["kind"] == "DeviceClass"]
    assert "labels" not in kept["metadata"]


def test_definitions_are_todays_and_store_one_version(upgraded: Upgraded) -> None:
    ours = [one for one in upgraded.definitions if one["spec"]["group"] == "aim.amd.com"]
    assert len(ours) == len(list((ROOT / "charts/aim-gpu-sharing/files/crds").glob("*.yaml")))
    assert {tuple(one["status"]["storedVersions"]) for one in ours} == {("v1beta1",)}
    assert {one["metadata"]["annotations"]["helm.sh/resource-policy"] for one in ours} == {"keep"}
