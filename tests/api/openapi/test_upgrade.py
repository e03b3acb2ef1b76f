"""Two sets of definitions: what went away is said, and the exit code tells."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.openapi import crd, upgrade
from api.openapi.kind import GPU_NODE, INFERENCE_SERVICE

Definition = dict[str, Any]

SERVICES = crd.crd(INFERENCE_SERVICE)
KIND = INFERENCE_SERVICE.name


def version(definition: Definition, name: str = "v1beta1") -> dict[str, Any]:
    return next(version for version in definition["spec"]["versions"] if version["name"] == name)


def spec_fields(definition: Definition) -> dict[str, Any]:
    fields: dict[str, Any] = version(definition)["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return fields


def without(key: str, mapping: Callable[[Definition], dict[str, Any]]) -> Callable[[Definition], None]:
    return lambda definition: mapping(definition).__delitem__(key)


def other_storage(definition: Definition) -> None:
    kept = version(definition)
    definition["spec"]["versions"].append(deepcopy(kept) | {"name": "v1"})
    kept["storage"] = False


def not_served(definition: Definition) -> None:
    version(definition)["served"] = False


def other_scope(definition: Definition) -> None:
    definition["spec"]["scope"] = "Cluster"


def other_kind(definition: Definition) -> None:
    definition["spec"]["names"]["kind"] = "Service"


def fewer_replicas(definition: Definition) -> None:
    spec_fields(definition)["replicas"]["maximum"] = 5


def no_column(definition: Definition) -> None:
    del version(definition)["additionalPrinterColumns"][0]


def no_short_name(definition: Definition) -> None:
    definition["spec"]["names"]["shortNames"] = []


def other_scale_path(definition: Definition) -> None:
    version(definition)["subresources"]["scale"]["specReplicasPath"] = ".spec.minReplicas"


PLANTED = [
    pytest.param(not_served, f"{KIND} v1beta1: removed version: was served", id="a version is served no more"),
    pytest.param(other_storage, f"{KIND}: changed storage version: was v1beta1, is v1.", id="storage version"),
    pytest.param(other_scope, "changed identity: was scope Namespaced, is scope Cluster", id="scope"),
    pytest.param(other_kind, f"was kind {KIND}, is kind Service", id="another kind"),
    pytest.param(
        without("status", lambda definition: version(definition)["subresources"]),
        f"{KIND} v1beta1: removed subresource: was status",
        id="no status subresource",
    ),
    pytest.param(
        without("replicas", spec_fields), f"{KIND} v1beta1 spec.replicas: removed field: was integer", id="a field"
    ),
    pytest.param(fewer_replicas, "spec.replicas: tightened limit: was maximum 1000, is maximum 5.", id="a limit"),
]

FOR_INFORMATION = [
    pytest.param(no_column, "removed column: was Model (.spec.model.id)", id="a column"),
    pytest.param(no_short_name, "removed short name or category: was shortNames aimisvc", id="a short name"),
    pytest.param(other_scale_path, "is specReplicasPath .spec.minReplicas", id="a scale path"),
    pytest.param(
        without("scale", lambda definition: version(definition)["subresources"]),
        "changed scale path: was specReplicasPath .spec.replicas, is specReplicasPath absent",
        id="no scale",
    ),
]


def changed(change: Callable[[Definition], None]) -> Definition:
    definition = deepcopy(SERVICES)
    change(definition)
    return definition


@pytest.mark.parametrize(("change", "want"), PLANTED)
def test_a_planted_change_breaks(change: Callable[[Definition], None], want: str) -> None:
    found = [str(item) for item in upgrade.changes([SERVICES], [changed(change)]) if item.sort.breaks]
    assert [sentence for sentence in found if want in sentence] == found
    assert len(found) == 1


@pytest.mark.parametrize(("change", "want"), FOR_INFORMATION)
def test_what_breaks_nobody_is_information(change: Callable[[Definition], None], want: str) -> None:
    found = upgrade.changes([SERVICES], [changed(change)])
    assert want in str(found[0])
    assert not any(item.sort.breaks for item in found)


def test_a_kind_that_is_gone_breaks_and_a_new_one_does_not() -> None:
    nodes = crd.crd(GPU_NODE)
    (change,) = upgrade.changes([SERVICES, nodes], [nodes])
    assert str(change) == f"{KIND}: removed kind: was inferenceservices.aim.amd.com, is absent."
    assert upgrade.changes([nodes], [nodes, SERVICES]) == []


def test_a_version_more_breaks_nobody() -> None:
    def add(definition: Definition) -> None:
        definition["spec"]["versions"].append(version(definition) | {"name": "v2", "storage": False})

    assert upgrade.changes([SERVICES], [changed(add)]) == []


def test_what_was_not_served_can_go() -> None:
    def plant(definition: Definition) -> None:
        definition["spec"]["versions"].append(version(definition) | {"name": "v0", "storage": False, "served": False})

    assert upgrade.changes([changed(plant)], [SERVICES]) == []


def folder(path: Path, *definitions: Definition) -> str:
    path.mkdir()
    (path / "all.yaml").write_text(yaml.safe_dump_all(definitions), encoding="utf-8")
    return str(path)


def test_the_command_fails_with_a_sentence_for_each_break(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = folder(tmp_path / "old", SERVICES), folder(tmp_path / "new", changed(fewer_replicas), {"kind": "Secret"})
    assert upgrade.main(folders) == 1
    assert capsys.readouterr().out == (
        "InferenceService v1beta1 spec.replicas: tightened limit: was maximum 1000, is maximum 5.\n"
        "1 breaking changes.\n"
    )


def test_the_command_passes_what_is_information(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade.main([folder(tmp_path / "old", SERVICES), folder(tmp_path / "new", changed(no_column))]) == 0
    said = capsys.readouterr().out
    assert said.startswith("for information: InferenceService v1beta1: removed column")
    assert said.endswith("0 breaking changes.\n")


def test_an_empty_folder_is_no_good_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade.main([str(tmp_path), str(tmp_path)]) == 2
    assert f"{tmp_path} has no CustomResourceDefinition" in capsys.readouterr().err


@pytest.mark.parametrize("definition", crd.crds(), ids=lambda definition: str(definition["spec"]["names"]["kind"]))
def test_nothing_changes_from_today_to_today(definition: Definition) -> None:
    assert upgrade.changes([definition], [deepcopy(definition)]) == []
