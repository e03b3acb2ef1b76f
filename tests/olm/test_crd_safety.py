"""What OLM v1 asks of a bundle, and its safety of CRD upgrades: nothing is refused on the way from the last release."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.openapi import upgrade
from api.openapi.schema_changes import Sort
from olm.files import files
from olm.sources import ROOT

Definition = dict[str, Any]

FILES = files()
CSV = yaml.safe_load(FILES["bundle/manifests/aim-gpu-sharing.clusterserviceversion.yaml"])
BUNDLED: list[Definition] = [yaml.safe_load(text) for name, text in FILES.items() if name.endswith(".crd.yaml")]
RELEASES = ROOT / "e2e/releases"
INSTALLED_BY_OLM = {
    *("ClusterServiceVersion", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    *("Service", "ServiceAccount", "Secret", "ConfigMap", "PodDisruptionBudget", "PriorityClass", "NetworkPolicy"),
    *("ServiceMonitor", "PodMonitor", "PrometheusRule"),
}


def newest_release() -> Path:
    folders = [path for path in RELEASES.iterdir() if path.is_dir()]
    return max(folders, key=lambda path: [int(part) for part in path.name.split(".")])


RELEASED = upgrade.read(newest_release() / "crds")


def breaks(new: list[Definition]) -> list[str]:
    """What would be refused of these on the way from the last release."""
    return [str(change) for change in upgrade.changes(RELEASED, new) if change.sort.breaks]


def test_the_bundle_upgrades_the_definitions_of_the_last_release() -> None:
    assert len(BUNDLED) >= len(RELEASED) > 0
    assert breaks(BUNDLED) == []


def spec_of(definition: Definition) -> Definition:
    (hub,) = [version for version in definition["spec"]["versions"] if version["storage"]]
    found: Definition = hub["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def fields(definition: Definition) -> dict[str, Definition]:
    found: dict[str, Definition] = spec_of(definition)["properties"]
    return found


def another_scope(definition: Definition) -> None:
    definition["spec"]["scope"] = "Cluster"


def removed_version(definition: Definition) -> None:
    definition["spec"]["versions"] = [each for each in definition["spec"]["versions"] if each["storage"]]


def removed_field(definition: Definition) -> None:
    del fields(definition)["qos"]


def retyped_field(definition: Definition) -> None:
    fields(definition)["replicas"] = {"type": "string"}


def required_field(definition: Definition) -> None:
    spec_of(definition)["required"].append("qos")
    del fields(definition)["qos"]["default"]


def changed_default(definition: Definition) -> None:
    fields(definition)["replicas"]["default"] = 2


def removed_default(definition: Definition) -> None:
    del fields(definition)["replicas"]["default"]


def added_default(definition: Definition) -> None:
    fields(definition)["model"]["properties"]["maxModelLen"]["default"] = 8192


def lower_maximum(definition: Definition) -> None:
    fields(definition)["replicas"]["maximum"] -= 1


def higher_minimum(definition: Definition) -> None:
    fields(definition)["replicas"]["minimum"] += 1


def fewer_choices(definition: Definition) -> None:
    fields(definition)["model"]["properties"]["precision"]["enum"].pop()


def shorter_list(definition: Definition) -> None:
    fields(definition)["qos"]["properties"]["slo"]["maxItems"] -= 1


def shorter_text(definition: Definition) -> None:
    fields(definition)["model"]["properties"]["id"]["maxLength"] -= 1


REFUSED_BY_OLM = [
    (another_scope, Sort.IDENTITY),
    (removed_version, Sort.REMOVED_VERSION),
    (removed_field, Sort.REMOVED_FIELD),
    (retyped_field, Sort.RETYPED_FIELD),
    (required_field, Sort.REQUIRED_FIELD),
    (changed_default, Sort.DEFAULT),
    (removed_default, Sort.DEFAULT),
    (added_default, Sort.DEFAULT),
    (lower_maximum, Sort.LIMIT),
    (higher_minimum, Sort.LIMIT),
    (fewer_choices, Sort.LIMIT),
    (shorter_list, Sort.LIMIT),
    (shorter_text, Sort.LIMIT),
]


@pytest.mark.parametrize(("change", "sort"), REFUSED_BY_OLM, ids=[row[0].__name__ for row in REFUSED_BY_OLM])
def test_what_olm_v1_refuses_is_found(change: Callable[[Definition], None], sort: Sort) -> None:
    changed = deepcopy(BUNDLED)
    change(next(each for each in changed if each["metadata"]["name"] == "inferenceservices.aim.amd.com"))
    assert any("InferenceService" in found and f": {sort}: " in found for found in breaks(changed))


def test_olm_v1_takes_bundles_of_the_kind_registry_v1_for_all_namespaces() -> None:
    annotations = yaml.safe_load(FILES["bundle/metadata/annotations.yaml"])["annotations"]
    assert annotations["operators.operatorframework.io.bundle.mediatype.v1"] == "registry+v1"
    assert {"type": "AllNamespaces", "supported": True} in CSV["spec"]["installModes"]


def test_the_bundle_depends_on_no_other_which_olm_v1_would_not_resolve() -> None:
    described = {name for name in FILES if name.startswith("bundle/metadata/")}
    assert described == {"bundle/metadata/annotations.yaml"}  # no dependencies.yaml, and no properties.yaml
    assert CSV["spec"]["customresourcedefinitions"].keys() == {"owned"}
    assert "apiservicedefinitions" not in CSV["spec"]


def test_olm_installs_every_kind_that_the_bundle_holds() -> None:
    held = [yaml.safe_load(text)["kind"] for name, text in FILES.items() if name.startswith("bundle/manifests/")]
    assert set(held) <= INSTALLED_BY_OLM
